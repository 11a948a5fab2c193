from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "survey_site.console"
