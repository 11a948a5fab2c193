"""python manage.py import_answers answers-….json"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from rest_framework.exceptions import ValidationError

from survey_site.participation.answer_files import FileRefused, read_answer_file
from survey_site.participation.api import MAX_ENTRIES, LogInput
from survey_site.participation.errors import ParticipationError
from survey_site.participation.services import record_log


class Command(BaseCommand):
    help = "Read in the file of answers that a participant saved; what is stored already is left as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--unsigned", action="store_true", help="take a file without a signature")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = options["file"].read_text()
            session, entries = read_answer_file(text, take_unsigned=options["unsigned"])
            with transaction.atomic():
                for first in range(0, len(entries), MAX_ENTRIES):
                    given = LogInput(data={"entries": entries[first : first + MAX_ENTRIES]})
                    given.is_valid(raise_exception=True)
                    record_log(session=session, entries=given.validated_data["entries"])
        except (OSError, UnicodeDecodeError, FileRefused, ParticipationError, ValidationError) as error:
            raise CommandError(f"{options['file']}: {error}") from error
        self.stdout.write(f"{len(entries)} entries of session {session.pk} are stored")
