"""Counting what housekeeping does, for metrics and the status page."""

from __future__ import annotations

from django.db.models import F
from django.db.models.functions import Now

from survey_site.stimuli.models import Tally

SWEEPS = "sweeps"
RINGS_REPEATED = "rings_repeated"


def count(name: str, n: int = 1) -> None:
    """Add `n` and note the time; with 0 the time alone."""
    if not Tally.objects.filter(name=name).update(n=F("n") + n, at=Now()):
        Tally.objects.get_or_create(name=name, defaults={"n": n})
