"""python manage.py open_study STUDY"""

from typing import Any

from survey_site.studies.management.studying import StudyCommand
from survey_site.studies.models import Study
from survey_site.studies.services import open_study


class Command(StudyCommand):
    help = "Freeze a study into a version, unless nothing changed since the last one, and let people in."

    def act(self, study: Study, by: Any, options: dict[str, Any]) -> str:
        version = open_study(study=study, opened_by=by)
        return f"{study.slug} is open as version {version.number} ({version.sha256})"
