from django.apps import AppConfig


class StudiesConfig(AppConfig):
    name = "survey_site.studies"

    def ready(self) -> None:
        from survey_site.studies import dependants  # noqa: F401 - names studies where something is deleted
