"""Correlations over conditions with their intervals: people against a simulated observer. Numpy and scipy.

Two kinds of uncertainty, two intervals. *Over conditions*: these conditions are a sample of all that could
have been asked about (Fisher's z). *Over people and items*: for exactly these conditions, other participants
and other trials could have answered (a bootstrap of both).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atanh, inf, sqrt, tanh
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.intervals import Interval
from survey_site.analysis.score_settings import ScoreSettings

FloatArray = NDArray[Any]  # float64; scipy's types are not known

FEWEST = 3
REPLICATES_AT_ONCE = 250
PEOPLE, ITEMS = 10, 11  # streams of random numbers, apart from those of bootstrap


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """A correlation of `n` pairs, -1 to 1. low, high: its interval, None with fewer than four pairs."""

    estimate: float
    low: float | None
    high: float | None
    n: int


def pearson(x: Sequence[float], y: Sequence[float], confidence: float = 0.95) -> Correlation:
    """Pearson's r with Fisher's interval, ``tanh(atanh(r) +- z / sqrt(n - 3))``.

    >>> found = pearson([0.1, 0.4, 0.5, 0.9], [0.2, 0.3, 0.7, 0.8])
    >>> round(found.estimate, 4), round(found.low, 4), round(found.high, 4)
    (0.891, -0.4878, 0.9977)

    Raises ScoringError for fewer than three pairs and where one side does not vary.
    """
    r = float(np.clip(_rows_correlated(*_checked(x, y))[0], -1, 1))
    return _with_fisher(r, 1.0, len(x), confidence)


def spearman(x: Sequence[float], y: Sequence[float], confidence: float = 0.95) -> Correlation:
    """Spearman's rank correlation, ties sharing their mean rank, with the interval of Bonett & Wright 2000.

    Fisher's with the standard error ``sqrt((1 + r^2 / 2) / (n - 3))``. Raises as `pearson`.
    """
    ranks = [scipy.stats.rankdata(side, axis=1) for side in _checked(x, y)]
    r = float(np.clip(_rows_correlated(*ranks)[0], -1, 1))
    return _with_fisher(r, sqrt(1 + r * r / 2), len(x), confidence)


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """Percentile intervals over people and items, for the conditions as they are."""

    pearson: Interval
    spearman: Interval


def over_people_and_items(
    table: AnswerTable, credit_of_item: Mapping[str, float], *, settings: ScoreSettings
) -> Resampled:
    """Bootstrap of both correlations between people's shares and the observer's mean credits.

    Participants are drawn for all conditions at once, items within their condition; an item that is drawn
    counts for people and for the observer. Items without a credit are left out. Replicates in which a
    condition has no answer, or one side does not vary, have no correlation; the note counts them. Raises
    ScoringError for fewer than three conditions with items that the observer judged.
    """
    answers = _Answers(table, credit_of_item)
    found = np.concatenate(
        [
            answers.correlations(min(REPLICATES_AT_ONCE, settings.replicates - start), rng)
            for start, rng in _parts(settings)
        ],
        axis=1,
    )
    return Resampled(
        pearson=_percentiles(found[0], settings.confidence),
        spearman=_percentiles(found[1], settings.confidence),
    )


class _Answers:
    """Hits and rows as (participants, items), items in order of their condition."""

    def __init__(self, table: AnswerTable, credit_of_item: Mapping[str, float]) -> None:
        credits = np.array([credit_of_item.get(name, np.nan) for name in table.items])
        kept = table.where(~np.isnan(credits[table.item]))
        names = kept.seen_conditions()
        place = {name: number for number, name in enumerate(names)}
        condition = np.array([place.get(name, 0) for name in kept.conditions], dtype=np.int64)[kept.condition]
        if len(names) < FEWEST:
            raise ScoringError(f"{len(names)} conditions; a correlation needs {FEWEST} or more")
        # A condition's item is a column; the order is that of the names, whatever the rows' order.
        by_name = np.argsort(np.argsort(np.array(kept.items)))
        key = condition * len(kept.items) + by_name[kept.item]
        keys, first, column = np.unique(key, return_index=True, return_inverse=True)
        self.starts = np.searchsorted(condition[first], np.arange(len(names)))
        self.sizes = np.diff([*self.starts, len(keys)])
        self.credits = credits[kept.item[first]]
        people, person = np.unique(kept.participant, return_inverse=True)
        shape = (len(people), len(keys))
        cell = person * len(keys) + column
        n = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
        hits = np.bincount(cell[kept.is_correct], minlength=n.size).reshape(shape)
        # Participants by what they answered: an order that their names do not set.
        order = np.lexsort(np.hstack([n, hits]).T[::-1])
        self.n, self.hits = n[order].astype(float), hits[order].astype(float)

    def correlations(self, replicates: int, rng: np.random.Generator) -> FloatArray:
        """Pearson's and Spearman's, (2, replicates); NaN where there is none."""
        people = rng.multinomial(len(self.n), np.full(len(self.n), 1 / len(self.n)), replicates)
        items = np.hstack(
            [rng.multinomial(size, np.full(size, 1 / size), replicates) for size in self.sizes]
        ).astype(float)
        hits, n = (self._by_condition(items * (people @ side)) for side in (self.hits, self.n))
        credits = self._by_condition(items * self.credits) / self._by_condition(items)
        shares = np.divide(hits, n, out=np.full(n.shape, np.nan), where=n > 0)
        whole = ~np.isnan(shares).any(axis=1)
        found = np.full((2, replicates), np.nan)
        found[0, whole] = _rows_correlated(shares[whole], credits[whole])
        found[1, whole] = _rows_correlated(
            *(scipy.stats.rankdata(side[whole], axis=1) for side in (shares, credits))
        )
        return found

    def _by_condition(self, columns: FloatArray) -> FloatArray:
        return np.add.reduceat(columns, self.starts, axis=1)


def _parts(settings: ScoreSettings) -> list[tuple[int, np.random.Generator]]:
    starts = range(0, settings.replicates, REPLICATES_AT_ONCE)
    sequence = np.random.SeedSequence(settings.rng_seed, spawn_key=(PEOPLE, ITEMS))
    return [
        (start, np.random.default_rng(seed))
        for start, seed in zip(starts, sequence.spawn(len(starts)), strict=True)
    ]


def _percentiles(values: FloatArray, confidence: float) -> Interval:
    defined = values[~np.isnan(values)]
    missed = len(values) - len(defined)
    note = f"{missed} of {len(values)} replicates have no correlation" if missed else ""
    if not len(defined):
        raise ScoringError("no replicate has a correlation: people or the observer never vary")
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), note)


def _checked(x: Sequence[float], y: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    """Both as one row each, (1, n)."""
    one, other = (np.asarray(side, dtype=float)[None] for side in (x, y))
    if one.shape != other.shape:
        raise ScoringError(f"{one.shape[1]} and {other.shape[1]} values; a correlation is of pairs")
    if one.shape[1] < FEWEST:
        raise ScoringError(f"{one.shape[1]} conditions; a correlation needs {FEWEST} or more")
    for side in (one, other):
        if not np.isfinite(side).all():
            raise ScoringError(f"a value is {side[~np.isfinite(side)][0]}; allowed: finite numbers")
        if np.ptp(side) == 0:
            raise ScoringError(
                f"all conditions score {side[0, 0]:.3f}; what does not vary has no correlation"
            )
    return one, other


def _rows_correlated(x: FloatArray, y: FloatArray) -> FloatArray:
    """Pearson's r of each row; NaN where a row does not vary."""
    x, y = (side - side.mean(axis=1, keepdims=True) for side in (x, y))
    scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.divide((x * y).sum(axis=1), scale, out=np.full(len(x), np.nan), where=scale > 1e-12)


def _with_fisher(r: float, widening: float, n: int, confidence: float) -> Correlation:
    if n < 4:
        return Correlation(estimate=r, low=None, high=None, n=n)
    half = float(scipy.stats.norm.ppf((1 + confidence) / 2)) * widening / sqrt(n - 3)
    z = atanh(r) if abs(r) < 1 else inf * r
    return Correlation(estimate=r, low=tanh(z - half), high=tanh(z + half), n=n)
