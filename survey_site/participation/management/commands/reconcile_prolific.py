"""python manage.py reconcile_prolific STUDY"""

from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from survey_site.access.services import record_event
from survey_site.participation.recruitment.prolific import ProlificApi, ProlificError
from survey_site.participation.services.submissions import Reconciliation, reconcile
from survey_site.studies.models import Recruiter, Study

SAID = {
    "changed": "status changed since we last heard",
    "unknown_here": "on Prolific, but no session here",
    "unknown_there": "a session here, but not on Prolific's list",
    "finished_only_here": "finished here, but not handed in on Prolific",
    "finished_only_there": "handed in on Prolific, but not finished here",
}


class Command(BaseCommand):
    help = "Compare a study's sessions with Prolific's list of submissions, and take over its statuses."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="slug")
        parser.add_argument("--prolific-study", help="Prolific's study ID; default: the one in the study")
        parser.add_argument("--dry-run", action="store_true", help="compare, and store nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["study"]).first()
        if study is None or study.recruiter != Recruiter.PROLIFIC:
            known = ", ".join(
                Study.objects.filter(recruiter=Recruiter.PROLIFIC).values_list("slug", flat=True)
            )
            raise CommandError(
                f"{options['study']!r} is no study on Prolific; there are: {known or 'none yet'}"
            )
        there = options["prolific_study"] or study.recruiter_study_id
        if not there:
            raise CommandError(
                "Prolific's study ID is not known: set it in the study, or give --prolific-study"
            )
        if not settings.PROLIFIC_API_TOKEN:
            raise CommandError("PROLIFIC_API_TOKEN is not set")
        try:
            with httpx.Client(timeout=30) as client:
                api = ProlificApi(
                    client, base_url=settings.PROLIFIC_API_URL, token=settings.PROLIFIC_API_TOKEN
                )
                listed = list(api.submissions(there))
        except ProlificError as error:
            raise CommandError(str(error)) from None
        found = reconcile(study=study, listed=listed, now=timezone.now(), store=not options["dry_run"])
        if not options["dry_run"]:
            record_event(user=None, action="reconcile", subject=study, detail={"listed": found.n_listed})
        self._say(found)

    def _say(self, found: Reconciliation) -> None:
        self.stdout.write(f"{found.n_listed} submissions on Prolific")
        for name, words in SAID.items():
            ids = getattr(found, name)
            self.stdout.write(f"{len(ids):6d} {words}{': ' if ids else ''}{', '.join(ids)}")
