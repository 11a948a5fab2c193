"""Scores split up: by participant, by item, by factor of the network, by target class. Pure numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.intervals import Interval, wilson
from survey_site.analysis.score_settings import ScoreSettings
from survey_site.analysis.scoring import ConditionScore, score_table


@dataclass(frozen=True, kw_only=True)
class Share:
    """Hits of one participant or one item in one condition, with Wilson's interval of that share alone."""

    condition: str
    name: str
    n: int
    hits: int
    estimate: float
    interval: Interval


def by_participant(table: AnswerTable, confidence: float = 0.95) -> list[Share]:
    """Every participant's share of right answers in every condition that they saw, by names."""
    return _shares(table, table.participants, table.participant, confidence)


def by_item(table: AnswerTable, confidence: float = 0.95) -> list[Share]:
    """Every item's share of right answers, by names of condition and item."""
    return _shares(table, table.items, table.item, confidence)


def by_factor(
    table: AnswerTable,
    levels: Mapping[str, str | None],
    *,
    settings: ScoreSettings | None = None,
) -> list[ConditionScore]:
    """Scores with the conditions of one level of a factor pooled, as Nanda et al. compare networks.

    `levels` gives each condition's level (architecture family, training loss, ...); conditions that it does
    not name, or whose level is None or empty, are left out. Participants and items keep their names, so the
    intervals know that one person answered several conditions of a level. Raises ScoringError if no
    condition has a level.
    """
    known = {condition: level for condition, level in levels.items() if level}
    pooled = table.regrouped(known.get)
    if not len(pooled):
        conditions = ", ".join(table.seen_conditions()) or "none"
        raise ScoringError(f"no condition with answers has a level; conditions with answers: {conditions}")
    return score_table(pooled, settings=settings)


def by_target_class(
    table: AnswerTable,
    classes: Sequence[str],
    *,
    settings: ScoreSettings | None = None,
) -> list[ConditionScore]:
    """Scores with the answers about one target class pooled; answers without a class are left out.

    classes: of each answer's target, in the table's order, empty where it has none. Raises ScoringError if no
    answer has a class.
    """
    pooled = table.regrouped_by_answer(classes)
    if not len(pooled):
        raise ScoringError("no answered item has a target class")
    return score_table(pooled, settings=settings)


def _shares(
    table: AnswerTable, names: tuple[str, ...], codes: NDArray[np.int64], confidence: float
) -> list[Share]:
    cell = table.condition * len(names) + codes
    size = len(table.conditions) * len(names)
    n, hits = np.bincount(cell, minlength=size), np.bincount(cell[table.is_correct], minlength=size)
    found = [(table.conditions[c // len(names)], names[c % len(names)], c) for c in np.flatnonzero(n)]
    intervals: dict[tuple[int, int], Interval] = {}
    return [
        Share(
            condition=condition,
            name=name,
            n=int(n[c]),
            hits=int(hits[c]),
            estimate=float(hits[c] / n[c]),
            interval=_remembered(intervals, int(hits[c]), int(n[c]), confidence),
        )
        for condition, name, c in sorted(found)
    ]


def _remembered(intervals: dict[tuple[int, int], Interval], hits: int, n: int, confidence: float) -> Interval:
    """The same few counts occur thousands of times, and each interval costs a tenth of a millisecond."""
    if (hits, n) not in intervals:
        intervals[hits, n] = wilson(hits, n, confidence)
    return intervals[hits, n]
