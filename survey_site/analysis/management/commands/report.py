"""One study's report as a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey_site.analysis.report_files import report_html, report_pdf
from survey_site.analysis.results import compute_results
from survey_site.participation.models import Mode
from survey_site.studies.models import Study


class Command(BaseCommand):
    help = (
        "Write a study's report, computed now: one HTML file that needs nothing else, a PDF, or both. "
        "python manage.py report STUDY --html report.html --pdf report.pdf"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="slug of the study")
        parser.add_argument("--mode", choices=Mode.values, default=Mode.REAL, help="default: real")
        parser.add_argument("--html", type=Path, metavar="FILE", help="file to write as HTML")
        parser.add_argument("--pdf", type=Path, metavar="FILE", help="file to write as PDF")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["study"]).first()
        if study is None:
            known = ", ".join(Study.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none"
            raise CommandError(f"no study has the slug {options['study']!r}; studies: {known}")
        if not options["html"] and not options["pdf"]:
            raise CommandError("nothing to write: name a file with --html, --pdf or both")
        results = compute_results(study, options["mode"])
        if options["html"]:
            self.write(options["html"], report_html(results).encode())
        if options["pdf"]:
            self.write(options["pdf"], report_pdf(results))

    def write(self, path: Path, content: bytes) -> None:
        try:
            path.write_bytes(content)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from None
        self.stdout.write(f"{path}: {len(content) / 1000:.0f} kB")
