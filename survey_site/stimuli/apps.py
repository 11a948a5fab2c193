from django.apps import AppConfig


class StimuliConfig(AppConfig):
    name = "survey_site.stimuli"
