from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    name = "survey_site.analysis"
