"""Reaction times: how they are spread, for right and wrong answers, and what speed costs. Pure numpy."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_site.analysis.answers import ScoringError

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ReactionTimes:
    """Milliseconds. n: answers with a time. quantiles: by share, of QUANTILES; empty without any time."""

    n: int
    mean: float | None
    median: float | None
    quantiles: Mapping[float, float]


@dataclass(frozen=True, kw_only=True)
class ReactionTimeSummary:
    """All answers, the right ones and the wrong ones. n_missing: answers without a time."""

    all: ReactionTimes
    right: ReactionTimes
    wrong: ReactionTimes
    n_missing: int


@dataclass(frozen=True, kw_only=True)
class SpeedBin:
    """One quantile bin of each participant's own times. place counts from 0, the fastest.

    rt: mean milliseconds; accuracy: share of right answers in [0, 1]; both are means over participants of
    their own means. n: answers; n_participants: who has an answer in the bin.
    """

    place: int
    rt: float
    accuracy: float
    n: int
    n_participants: int


def summarise(rt: FloatArray, is_correct: BoolArray) -> ReactionTimeSummary:
    """Mean, median and quantiles (linear interpolation) of `rt` in milliseconds, NaN where there is none.

    Raises ScoringError for negative or infinite times and for unequal lengths.
    """
    _check(rt, len(is_correct))
    known = ~np.isnan(rt)
    return ReactionTimeSummary(
        all=_spread(rt[known]),
        right=_spread(rt[known & is_correct]),
        wrong=_spread(rt[known & ~is_correct]),
        n_missing=int((~known).sum()),
    )


def speed_accuracy(
    rt: FloatArray, is_correct: BoolArray, participant: NDArray[np.int64], *, bins: int = 5
) -> list[SpeedBin]:
    """The conditional accuracy function: accuracy in quantile bins of each participant's own times.

    Ranks within a participant are cut into `bins` equal parts (vincentising, Ratcliff 1979), so slow and fast
    people both fill every bin; equal times keep the order of the rows. Answers without a time, and
    participants with fewer answers than bins, are left out. Raises ScoringError for fewer than 2 bins.
    """
    _check(rt, len(is_correct))
    if bins < 2:
        raise ScoringError(f"bins is {bins!r}; it must be 2 or more")
    known = ~np.isnan(rt)
    rt, right, person = rt[known], is_correct[known], participant[known]
    if not len(rt):
        return []
    place = _bins_within(person, rt, bins)
    used = place >= 0
    return [
        _speed_bin(number, rt[here], right[here], person[here])
        for number in range(bins)
        if np.any(here := used & (place == number))
    ]


def _check(rt: FloatArray, n: int) -> None:
    if len(rt) != n:
        raise ScoringError(f"{len(rt)} reaction times for {n} answers; they must be as many")
    wrong = rt[(rt < 0) | np.isinf(rt)]
    if len(wrong):
        raise ScoringError(f"a reaction time is {wrong[0]}; it must be 0 or more milliseconds, or NaN")


def _spread(rt: FloatArray) -> ReactionTimes:
    if not len(rt):
        return ReactionTimes(n=0, mean=None, median=None, quantiles={})
    values = dict(zip(QUANTILES, map(float, np.quantile(rt, QUANTILES)), strict=True))
    return ReactionTimes(n=len(rt), mean=float(rt.mean()), median=values[0.5], quantiles=values)


def _bins_within(person: NDArray[np.int64], rt: FloatArray, bins: int) -> NDArray[np.int64]:
    """Each answer's bin among its participant's, -1 where the participant has too few answers."""
    order = np.lexsort([rt, person])
    counts = np.bincount(person)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(rt), dtype=np.int64)
    rank[order] = np.arange(len(rt)) - starts[person[order]]
    return np.where(counts[person] >= bins, rank * bins // counts[person], -1)


def _speed_bin(place: int, rt: FloatArray, right: BoolArray, person: NDArray[np.int64]) -> SpeedBin:
    counts = np.bincount(person)
    seen = counts > 0
    return SpeedBin(
        place=place,
        rt=float(np.mean(np.bincount(person, weights=rt)[seen] / counts[seen])),
        accuracy=float(np.mean(np.bincount(person, weights=right)[seen] / counts[seen])),
        n=len(rt),
        n_participants=int(seen.sum()),
    )
