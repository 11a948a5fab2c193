from django.apps import AppConfig


class ParticipationConfig(AppConfig):
    name = "survey_site.participation"
