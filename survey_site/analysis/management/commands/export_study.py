"""A study's data as a file."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError

from survey_site.access.roles import ExportLevel
from survey_site.analysis.exporting.jobs import log_export
from survey_site.analysis.exporting.kinds import KINDS, kind_named
from survey_site.analysis.exporting.selection import EXCLUSIONS, MARKED, ExportRefused, Filters, Selection
from survey_site.participation.models import Mode
from survey_site.studies.models import Study

LEVELS = {level.label: level for level in (ExportLevel.DEIDENTIFIED, ExportLevel.FULL)}


class Command(BaseCommand):
    help = (
        "Write a study's data to a file, as the export page does. "
        "python manage.py export_study STUDY --format psych-ds.zip --out faces.zip"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="slug of the study")
        parser.add_argument("--format", default="responses.csv", help=f"one of {', '.join(KINDS)}")
        parser.add_argument("--out", required=True, metavar="FILE", help="file to write; - prints it")
        parser.add_argument("--level", choices=LEVELS, default=ExportLevel.DEIDENTIFIED.label)
        parser.add_argument("--mode", choices=Mode.values, default=Mode.REAL, help="default: real")
        parser.add_argument("--study-version", help="number of one version; default: all of them")
        parser.add_argument(
            "--exclusions",
            choices=EXCLUSIONS,
            default=MARKED,
            help="sessions left out by rules; default: marked",
        )
        parser.add_argument("--since", metavar="DAY", help="sessions that began on this day (UTC) or later")
        parser.add_argument("--until", metavar="DAY", help="sessions that began on this day (UTC) or earlier")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["study"]).first()
        if study is None:
            known = ", ".join(Study.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none"
            raise CommandError(f"no study has the slug {options['study']!r}; studies: {known}")
        try:
            kind = kind_named(options["format"])
            filters = Filters.read({**options, "version": options["study_version"]})
            selection = Selection(study, filters, LEVELS[options["level"]])
        except ExportRefused as refusal:
            raise CommandError(str(refusal)) from None
        log_export(by=None, kind=kind, selection=selection)
        parts = kind.stream(selection, self.told if options["verbosity"] > 1 else lambda done, total: None)
        if options["out"] == "-":
            _write(sys.stdout.buffer, parts)
            return
        size = self.write(Path(options["out"]), parts)
        self.stdout.write(f"{options['out']}: {size / 1000:.0f} kB")

    def write(self, path: Path, parts: Any) -> int:
        """What is there whole or not at all: a file that was begun has another name."""
        begun = path.with_name(f"{path.name}.part")
        try:
            with begun.open("wb") as out:
                size = _write(out, parts)
            begun.replace(path)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from None
        finally:
            begun.unlink(missing_ok=True)
        return size

    def told(self, done: int, total: int) -> None:
        self.stderr.write(f"{done} of {total}")


def _write(out: BinaryIO, parts: Any) -> int:
    return sum(out.write(part) for part in parts)
