"""How evenly a version's trials were given out: what allocation promises, counted."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from survey_site.participation.models import HOLDS_SLOT, Presentation, StudySession
from survey_site.studies.models import StudyVersion, Trial, TrialKind

# Whoever has a slot sees the slot's main trials, whatever their order: one session tells for all of them.
SHOWN = f"""
    WITH held AS (
        SELECT min(id::text)::uuid AS session, count(*) AS n FROM {StudySession._meta.db_table}
        WHERE version_id = %(version)s AND mode = %(mode)s AND state = ANY (%(states)s)
        GROUP BY slot, CASE WHEN slot IS NULL THEN id END
    )
    SELECT trial.id, coalesce(sum(held.n), 0)::int
    FROM {Trial._meta.db_table} AS trial
    LEFT JOIN (
        {Presentation._meta.db_table} AS shown JOIN held ON held.session = shown.session_id
    ) ON shown.trial_id = trial.id AND shown.repeat_of_id IS NULL
    WHERE trial.version_id = %(version)s AND trial.kind = '{TrialKind.MAIN}'
    GROUP BY trial.id
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
    with connection.cursor() as cursor:
        cursor.execute(SHOWN, {"version": version.pk, "mode": mode, "states": list(map(str, HOLDS_SLOT))})
        return dict(cursor.fetchall())
