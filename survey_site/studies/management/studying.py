"""Commands that do one thing to one study."""

from abc import abstractmethod
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.studies.management.named import named_person, named_study
from survey_site.studies.models import Study
from survey_site.studies.refusals import StudyRefused


class StudyCommand(BaseCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="slug")
        parser.add_argument("--by", help="username of the researcher, for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        study, by = named_study(options["study"]), named_person(options["by"])
        try:
            self.stdout.write(self.act(study, by, options))
        except StudyRefused as refusal:
            raise CommandError(str(refusal)) from None
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None

    @abstractmethod
    def act(self, study: Study, by: Any, options: dict[str, Any]) -> str:
        """Do it; what is printed."""
