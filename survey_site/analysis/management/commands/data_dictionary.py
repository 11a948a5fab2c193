"""The data dictionary of the exported CSV files, as Markdown."""

from typing import Any

from django.core.management.base import BaseCommand

from survey_site.analysis.data_dictionary import data_dictionary


class Command(BaseCommand):
    help = "Print the data dictionary: python manage.py data_dictionary > docs/data-dictionary.md"
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(data_dictionary(), ending="")
