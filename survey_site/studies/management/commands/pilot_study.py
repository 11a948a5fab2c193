"""python manage.py pilot_study STUDY"""

from typing import Any

from survey_site.studies.management.studying import StudyCommand
from survey_site.studies.models import Study
from survey_site.studies.services import pilot_study


class Command(StudyCommand):
    help = "Freeze a study and let pilots in, but nobody else yet (simulate_participants sends bots)."

    def act(self, study: Study, by: Any, options: dict[str, Any]) -> str:
        version = pilot_study(study=study, by=by)
        return f"{study.slug} takes pilots for version {version.number} ({version.sha256})"
