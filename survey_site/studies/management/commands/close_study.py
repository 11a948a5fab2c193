"""python manage.py close_study STUDY"""

from typing import Any

from survey_site.studies.management.studying import StudyCommand
from survey_site.studies.models import Study
from survey_site.studies.services import close_study


class Command(StudyCommand):
    help = "Take no new sessions until it is opened again; those under way may finish."

    def act(self, study: Study, by: Any, options: dict[str, Any]) -> str:
        close_study(study=study, by=by)
        return f"{study.slug} is closed"
