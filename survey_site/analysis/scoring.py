"""Human-alignment scores from responses: estimate, intervals, d'. Pure numpy and scipy, no Django.

The score of a condition is the share of its scored responses whose chosen option is the one that answers
the reference (Nanda et al., AAAI 2023). Responses are clustered twice: by participant and by item (trial).

What a notebook needs::

    >>> rows = [ScoredRow("resnet", p, i, is_correct=(p, i) != ("b", "2")) for p in "ab" for i in "123"]
    >>> [score] = score_conditions(rows)
    >>> score.hits, score.n, round(score.estimate, 3)
    (5, 6, 0.833)
    >>> sorted(score.intervals)
    ['bootstrap', 'clopper_pearson', 'cluster', 'crossed', 'twoway', 'wilson']

Whoever has columns already makes an `AnswerTable.from_columns(...)` and calls `score_table`: the same bits,
without a million rows in between.

All rows of one trial by one participant (a matching trial has three, and they depend on each other) share
their participant and their item, so every bootstrap here resamples them whole by construction, and the
two-way variance treats them as one cell. The pooled intervals (Wilson, Clopper-Pearson) do not.

The figures depend neither on the order of the rows nor on the participants' names: counts are integers and
exact fractions until the last step, and tables are put in an order of their own before anything is drawn.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from survey_site.analysis import bootstrap
from survey_site.analysis.answers import AnswerTable, ScoredRow, ScoringError
from survey_site.analysis.cells import CellTable
from survey_site.analysis.intervals import Interval, clopper_pearson, cluster, twoway, wilson
from survey_site.analysis.score_settings import ScoreSettings
from survey_site.analysis.signal_detection import d_prime

TWO_AFC = "two_afc"

__all__ = [
    "AnswerTable",
    "ConditionScore",
    "Interval",
    "ScoreSettings",
    "ScoredRow",
    "ScoringError",
    "clopper_pearson",
    "d_prime",
    "score_conditions",
    "score_table",
    "wilson",
]


@dataclass(frozen=True, kw_only=True)
class ConditionScore:
    """A condition's human-alignment score with all that made it.

    estimate: hits / n, in [0, 1]. n: responses. n_participants, n_items: how many of each they come from.
    participant_mean, item_mean: mean of the participants' (items') own means, in [0, 1].
    chance: mean of 1 / n_options over the rows, None where a row does not tell.
    options: the numbers of options that its trials had, 0 where unknown.
    d_prime: `d_prime(hits, n)` where every row is of a 2AFC trial, or of two options in an unknown format;
    else None, with the reason in d_prime_note.
    intervals: by name, ``twoway`` (the default), ``cluster`` (the two-way cluster sums of statsmodels and
    Stata with t on min(P, I) - 1), ``bootstrap`` (over participants), ``crossed`` (the bootstrap over
    participants and items at once, conservative), ``wilson`` and ``clopper_pearson`` (pooled: too narrow
    where people or items differ).
    """

    condition: str
    estimate: float
    n: int
    hits: int
    n_participants: int
    n_items: int
    participant_mean: float
    item_mean: float
    chance: float | None
    d_prime: float | None
    d_prime_note: str
    intervals: Mapping[str, Interval]
    settings: ScoreSettings
    options: frozenset[int] = frozenset()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before believing the intervals; empty if nothing."""
        options, is_mixed = " and ".join(map(str, sorted(self.options))), len(self.options) > 1
        said = {
            "one participant: nothing is known about how people differ": self.n_participants == 1,
            "one item: nothing is known about how items differ": self.n_items == 1,
            "all answers are right": self.hits == self.n,
            "all answers are wrong": self.hits == 0,
            f"trials of {options} options are pooled, and their chance levels differ": is_mixed
            and 0 not in self.options,
            "how many options there were is known of some answers only, so chance is not known": is_mixed
            and 0 in self.options,
        }
        return tuple(text for text, is_so in said.items() if is_so)


def score_conditions(
    rows: Iterable[ScoredRow], *, settings: ScoreSettings | None = None
) -> list[ConditionScore]:
    """Score every condition that occurs in `rows`, in the order of their names.

    `rows` may be an iterator of any length: what is kept is a few bytes per row. No rows give no scores.
    Raises ScoringError for an `is_correct` other than True, False, 1 or 0 and for `n_options` below 2.
    """
    return score_table(AnswerTable.from_rows(rows), settings=settings)


def score_table(table: AnswerTable, *, settings: ScoreSettings | None = None) -> list[ConditionScore]:
    """Score every condition with an answer in `table`, in the order of their names."""
    settings = settings or ScoreSettings()
    seen = list(table.all_cells())
    tables = [cells for _, cells, _ in seen]
    resampled = bootstrap.one_way_and_crossed(tables, settings)
    formats = table.formats_seen()
    return [
        _score(name, cells, n_options, formats[name], {"bootstrap": one_way, "crossed": both}, settings)
        for (name, cells, n_options), (one_way, both) in zip(seen, resampled, strict=True)
    ]


def _score(
    condition: str,
    table: CellTable,
    n_options: NDArray[np.int64],
    formats: frozenset[str],
    resampled: Mapping[str, Interval],
    settings: ScoreSettings,
) -> ConditionScore:
    n, hits = table.n, int(table.hits.sum())
    participants, items = table.by_participant, table.by_item
    options = frozenset(np.unique(n_options).tolist())
    no_d_prime = _why_no_d_prime(options, formats)
    return ConditionScore(
        condition=condition,
        estimate=hits / n,
        n=n,
        hits=hits,
        n_participants=participants.count,
        n_items=items.count,
        participant_mean=participants.mean_of_means(),
        item_mean=items.mean_of_means(),
        chance=_chance(n_options),
        options=options,
        d_prime=None if no_d_prime else d_prime(hits, n),
        d_prime_note=no_d_prime,
        intervals={
            "twoway": twoway(table, settings.confidence),
            "cluster": cluster(table, settings.confidence),
            **resampled,
            "wilson": wilson(hits, n, settings.confidence),
            "clopper_pearson": clopper_pearson(hits, n, settings.confidence),
        },
        settings=settings,
    )


def _why_no_d_prime(options: frozenset[int], formats: frozenset[str]) -> str:
    """Empty for 2AFC: elsewhere a share right has another d', or depends on the other references."""
    others = sorted(formats - {TWO_AFC, ""})
    if others:
        return f"d' is defined here for {TWO_AFC} alone; trials were of format {' and '.join(others)}"
    if 0 in options:
        return "d' is defined for two options; how many there were is not known for every answer"
    if options != {2}:
        return f"d' is defined for two options; trials had {' and '.join(map(str, sorted(options)))}"
    return ""


def _chance(n_options: NDArray[np.int64]) -> float | None:
    options, counts = np.unique(n_options, return_counts=True)
    if options[0] == 0:
        return None
    shares = sum(Fraction(m, k) for k, m in zip(options.tolist(), counts.tolist(), strict=True))
    return float(Fraction(shares) / len(n_options))
