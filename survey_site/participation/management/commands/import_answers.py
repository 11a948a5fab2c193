"""python manage.py import_answers answers-….json"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from survey_site.participation.answer_files import FileRefused, read_answer_file
from survey_site.participation.errors import ParticipationError
from survey_site.participation.log_body import MAX_ENTRIES, read_entries
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
                    some = read_entries({"entries": entries[first : first + MAX_ENTRIES]})
                    record_log(token_hash=session.token_hash, entries=some)
        except (OSError, UnicodeDecodeError, FileRefused, ParticipationError) as error:
            raise CommandError(f"{options['file']}: {error}") from error
        self.stdout.write(f"{len(entries)} entries of session {session.pk} are stored")
