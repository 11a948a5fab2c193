"""How evenly a version's trials were given out: what allocation promises, counted."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from survey_site.participation.models import Presentation, StudySession
from survey_site.studies.models import StudyVersion, TrialKind

SHOWN = f"""
    SELECT shown.trial_id, sum(held.n)::int
    FROM unnest(%s::uuid[], %s::int[]) AS held (session, n)
    JOIN {Presentation._meta.db_table} AS shown ON shown.session_id = held.session
    WHERE shown.repeat_of_id IS NULL
    GROUP BY shown.trial_id
"""  # noqa: S608 - names of our own tables


@dataclass(frozen=True)
class ConditionBalance:
    """One condition's main trials: how many, how often the least and the most shown one, and all together."""

    condition: str
    n_trials: int
    least: int
    most: int
    total: int


@dataclass(frozen=True)
class Balance:
    """By condition slug, and over all trials; repeats are not counted."""

    conditions: list[ConditionBalance]
    least: int
    most: int


def balance_of(version: StudyVersion, mode: str) -> Balance:
    """Over the sessions that hold slots: those that are finished, or may still finish."""
    shown = times_shown(version, mode)
    slugs = version.trials.filter(kind=TrialKind.MAIN).values_list("condition__slug", "pk")
    by_condition: dict[str, list[int]] = {}
    for slug, trial in slugs.order_by("condition__slug"):
        by_condition.setdefault(slug, []).append(shown[trial])
    return Balance(
        conditions=[
            ConditionBalance(slug, len(times), min(times), max(times), sum(times))
            for slug, times in by_condition.items()
        ],
        least=min(shown.values(), default=0),
        most=max(shown.values(), default=0),
    )


def times_shown(version: StudyVersion, mode: str) -> dict[UUID, int]:
    """By main trial."""
    held = _held(version, mode)
    with connection.cursor() as cursor:
        cursor.execute(SHOWN, [list(held), list(held.values())])
        shown = dict(cursor.fetchall())
    trials = version.trials.filter(kind=TrialKind.MAIN).values_list("pk", flat=True)
    return {trial: shown.get(trial, 0) for trial in trials}


def _held(version: StudyVersion, mode: str) -> dict[UUID, int]:
    """One session of each slot, with the number of those that hold it; those without a slot each by itself.

    Whoever has a slot sees the slot's main trials, whatever their order: one session tells for all of them.
    """
    sessions = StudySession.objects.filter(version=version, mode=mode).holding_slots()
    one_of: dict[int | UUID, UUID] = {}
    held: dict[UUID, int] = {}
    for session, slot in sessions.order_by("pk").values_list("pk", "slot"):
        one = one_of.setdefault(session if slot is None else slot, session)
        held[one] = held.get(one, 0) + 1
    return held
