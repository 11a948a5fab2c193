"""python manage.py orphans [--remove] [--older-than HOURS]"""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.stimuli import services

MOST_HOURS = 24 * 365 * 100


class Command(BaseCommand):
    help = "List what a crash left in the image store: files and image rows that nothing points to."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", action="store_true", help="remove them; without it they are listed")
        parser.add_argument(
            "--older-than",
            type=float,
            default=24,
            help="hours; what is younger may be under way (default: 24)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["older_than"] <= MOST_HOURS:
            raise CommandError(f"--older-than is {options['older_than']:g}; allowed: 0 to {MOST_HOURS} hours")
        find = services.remove_orphans if options["remove"] else services.find_orphans
        found = find(older_than=timedelta(hours=options["older_than"]))
        for name in found.files:
            self.stdout.write(f"file {name}")
        for row in found.rows:
            self.stdout.write(f"row {row.sha256}")
        verb = "removed" if options["remove"] else "found; --remove removes them"
        self.stdout.write(f"{len(found.files)} files and {len(found.rows)} image rows {verb}")
