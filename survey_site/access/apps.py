from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "survey_site.access"
