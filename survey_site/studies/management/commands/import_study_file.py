"""python manage.py import_study_file FILE [--by USER] [--replace]"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.studies.file_reading import MOST_BYTES, StudyFileError, read_document
from survey_site.studies.management.named import named_person, named_study
from survey_site.studies.refusals import StudyRefused
from survey_site.studies.study_file import import_study_file, replace_by_study_file


class Command(BaseCommand):
    help = "Make a draft from a study file (JSON or YAML); networks and IRIs must be here."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--by", help="username of who will own it; only what they see is used")
        parser.add_argument(
            "--replace", action="store_true", help="the study of this slug takes the file's design instead"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        by = named_person(options["by"])
        try:
            with options["file"].open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}") from None
        try:
            if options["replace"]:
                slug = str(read_document(data).get("slug"))
                study = replace_by_study_file(named_study(slug), data, by=by)
            else:
                study = import_study_file(data, by=by)
        except StudyFileError as error:
            lines = "\n".join(f"  {path}: {fault}" if path else f"  {fault}" for path, fault in error.faults)
            raise CommandError(f"{options['file']} is not taken:\n{lines}") from None
        except StudyRefused as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(f"{study.slug} is a {study.status} with {study.conditions.count()} conditions")
