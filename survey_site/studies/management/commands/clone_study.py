"""python manage.py clone_study STUDY --slug NEW [--name NAME] [--without-conditions]"""

from typing import Any

from django.core.management.base import CommandParser

from survey_site.studies.cloning import clone_study
from survey_site.studies.management.studying import StudyCommand
from survey_site.studies.models import Study


class Command(StudyCommand):
    help = "A new draft that begins as another study stands; versions, sessions and answers stay behind."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--slug", required=True, help="of the new study")
        parser.add_argument("--name", help="default: the slug")
        parser.add_argument("--without-conditions", action="store_true")

    def act(self, study: Study, by: Any, options: dict[str, Any]) -> str:
        made = clone_study(
            study=study,
            slug=options["slug"],
            name=options["name"] or options["slug"],
            with_conditions=not options["without_conditions"],
            by=by,
        )
        return f"{made.slug} is a draft with {made.conditions.count()} conditions"
