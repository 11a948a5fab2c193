"""python manage.py export_study_file STUDY [--format yaml|json] [--to FILE]"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.studies.management.named import named_study
from survey_site.studies.study_file import FORMATS, export_study_file


class Command(BaseCommand):
    help = "Write a study as one file, for git or another site; the same study is the same bytes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="slug")
        parser.add_argument("--format", default="yaml", choices=list(FORMATS))
        parser.add_argument("--to", type=Path, help="a file; default: what the command prints")

    def handle(self, *args: Any, **options: Any) -> None:
        text = export_study_file(named_study(options["study"]), options["format"])
        if options["to"] is None:
            self.stdout.write(text, ending="")
            return
        try:
            options["to"].write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise CommandError(f"{options['to']} cannot be written: {error.strerror}") from None
        self.stdout.write(f"{options['study']} is in {options['to']}")
