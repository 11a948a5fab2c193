"""python manage.py simulate_participants STUDY --n 30 --p-target 0.8"""

from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.participation.bots import Bot, BotError
from survey_site.participation.models import Mode
from survey_site.studies.models import Study


class Command(BaseCommand):
    help = "Answer a study as bots over the real HTTP API; their sessions are pilot unless told otherwise."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="slug")
        parser.add_argument("--n", type=int, default=30, help="how many bots")
        parser.add_argument("--p-target", type=float, default=0.8, help="how often a bot picks the answer")
        parser.add_argument("--mode", default=Mode.PILOT, choices=Mode.values)
        parser.add_argument("--url", default=settings.PUBLIC_URL, help="address of the web server")
        parser.add_argument("--rng-seed", type=int, default=0, help="the bots' choices follow from it")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["p_target"] <= 1:
            raise CommandError(f"--p-target is {options['p_target']}; allowed: 0 to 1")
        if options["n"] < 1:
            raise CommandError(f"--n is {options['n']}; at least 1 bot is needed")
        if not Study.objects.filter(slug=options["study"]).exists():
            known = ", ".join(Study.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"there is no study {options['study']!r}; there are: {known}")
        try:
            with httpx.Client(base_url=options["url"], timeout=30) as client:
                answers = [
                    Bot(
                        client=client,
                        p_target=options["p_target"],
                        rng_seed=f"{options['rng_seed']}:{number}",
                    ).take(study=options["study"], mode=options["mode"])
                    for number in range(options["n"])
                ]
        except BotError as error:
            raise CommandError(str(error)) from error
        except httpx.TransportError as error:
            raise CommandError(
                f"no web server answers at {options['url']} ({error}); start it, or name it with --url"
            ) from error
        self.stdout.write(
            f"{options['n']} {options['mode']} sessions finished, {sum(answers)} trials answered; "
            f"results: {settings.PUBLIC_URL}/admin/results/{options['study']}/?mode={options['mode']}"
        )
