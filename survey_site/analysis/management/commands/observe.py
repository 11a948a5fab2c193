"""python manage.py observe STUDY --observers lpips-alex ssim network:resnet18:avgpool"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.analysis.models import Observation, ObservationState
from survey_site.analysis.observer_names import BUILT_IN
from survey_site.analysis.observing import ObserverRefused, request_observations
from survey_site.stimuli.models import Queue
from survey_site.studies.models import Study

POLL_SECONDS = 1.0


class Command(BaseCommand):
    help = (
        "Ask simulated observers to judge a study's main trials, on workers. Judgements are kept: asking "
        "again judges what is new."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="slug")
        parser.add_argument(
            "--observers",
            nargs="+",
            required=True,
            metavar="OBSERVER",
            help=f"{', '.join(BUILT_IN)}, or network:SLUG:LAYER for a layer of a registered network",
        )
        parser.add_argument("--queue", default=Queue.CPU, choices=Queue.values)
        parser.add_argument(
            "--wait", type=float, default=0, metavar="SECONDS", help="wait so long for them; default: not"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["study"]).first()
        if study is None:
            known = ", ".join(Study.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none"
            raise CommandError(f"no study has the slug {options['study']!r}; studies: {known}")
        try:
            asked = request_observations(study=study, observers=options["observers"], queue=options["queue"])
        except ObserverRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        observations = self.waited(asked, options["wait"])
        for observation in observations:
            self.stdout.write(f"{observation.observer}: {observation.get_state_display().lower()}")
            if observation.reason:
                self.stderr.write(f"{observation.observer}: {observation.reason}")

    def waited(self, asked: list[Observation], seconds: float) -> list[Observation]:
        """The observations as they stand when all are finished or the time is over."""
        found = Observation.objects.filter(pk__in=[one.pk for one in asked])
        unfinished = found.filter(state__in=[ObservationState.WAITING, ObservationState.RUNNING])
        end = time.monotonic() + seconds
        while time.monotonic() < end and unfinished.exists():
            time.sleep(POLL_SECONDS)
        return list(found)
