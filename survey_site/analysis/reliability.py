"""How reliable scores are: split half, test-retest, noise ceilings. Pure numpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_site.analysis import bootstrap
from survey_site.analysis.agreement import MISSING, Ratings, category_counts
from survey_site.analysis.answers import ScoringError
from survey_site.analysis.cells import CellTable, Clusters
from survey_site.analysis.intervals import Interval
from survey_site.analysis.score_settings import ScoreSettings


@dataclass(frozen=True, kw_only=True)
class SplitHalf:
    """correlation: mean over splits of Pearson's r between the item scores of two halves of the participants.
    reliability: that mean stepped up to all participants, ``2 r / (1 + r)`` (Spearman 1910, Brown 1910); None
    where it is negative, with the reason in the note: a reliability is a share of variance, and the formula
    would go to minus infinity. low, high: the middle 95 % of the stepped-up values over splits (spread of
    splits, no confidence interval), single negative correlations as ``-2 |r| / (1 + |r|)``; None with it.
    n_splits: splits with a correlation; those where a half did not vary have none.
    """

    correlation: float
    reliability: float | None
    low: float | None
    high: float | None
    n_splits: int
    rng_seed: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Retest:
    """agreement: share of repeats answered with the same option; interval: bootstrap over participants.

    kappa: Cohen's, for right and wrong at first and again; None where either never varies. n: repeats.
    """

    agreement: float
    interval: Interval
    kappa: float | None
    n: int
    n_participants: int


@dataclass(frozen=True, kw_only=True)
class NoiseCeiling:
    """Best score that people's own disagreement allows, as shares in [0, 1].

    upper: an observer that gives everybody's most frequent answer to each unit agrees with that share of the
    answers (it has seen them: optimistic). lower: how often a person gives the answer most frequent among the
    others (leave one out: pessimistic); ties count by their share. Both follow the logic of Nili et al. 2014
    with agreement in place of correlation. n_units: units with two answers or more, n: their answers.
    """

    lower: float
    upper: float
    n: int
    n_units: int


def split_half(table: CellTable, *, n_splits: int = 1000, rng_seed: int = 2023) -> SplitHalf:
    """Split-half reliability of the item scores over random halves of the participants.

    An item that one half did not see is left out of that split. Raises ScoringError for fewer than 4
    participants or 3 items, and where no split has a correlation.
    """
    people, items = table.answers.shape
    if people < 4 or items < 3:
        raise ScoringError(f"{people} participants and {items} items; split half needs 4 and 3 or more")
    rng = np.random.default_rng(rng_seed)
    found = [_half_correlation(table, rng.permutation(people) < people // 2) for _ in range(n_splits)]
    r = np.array([value for value in found if value is not None])
    if not len(r):
        raise ScoringError("items do not differ within either half of the participants; nothing to correlate")
    mean = float(r.mean())
    reliability = low = high = None
    if mean >= 0:
        reliability = 2 * mean / (1 + mean)
        low, high = map(float, np.quantile(2 * r / (1 + np.abs(r)), [0.025, 0.975], method="nearest"))
    return SplitHalf(
        correlation=mean,
        reliability=reliability,
        low=low,
        high=high,
        n_splits=len(r),
        rng_seed=rng_seed,
        note="" if mean >= 0 else "the halves correlate negatively: Spearman-Brown does not apply",
    )


def retest(
    *,
    first: NDArray[np.integer],
    again: NDArray[np.integer],
    first_right: NDArray[np.bool_],
    again_right: NDArray[np.bool_],
    participant: NDArray[np.int64],
    settings: ScoreSettings | None = None,
) -> Retest:
    """Test-retest from repeats: `first` and `again` name the options chosen, all arrays one entry per repeat.

    Raises ScoringError without repeats.
    """
    if not len(first):
        raise ScoringError("no repeated trial was answered both times")
    same = first == again
    n = np.bincount(participant)
    hits = np.bincount(participant[same], minlength=len(n))
    clusters = Clusters(n[n > 0], hits[n > 0])
    [interval] = bootstrap.over_participants([clusters], settings or ScoreSettings())
    p1, p2 = float(first_right.mean()), float(again_right.mean())
    expected = p1 * p2 + (1 - p1) * (1 - p2)
    agreed = float((first_right == again_right).mean())
    return Retest(
        agreement=float(same.mean()),
        interval=interval,
        kappa=(agreed - expected) / (1 - expected) if 0 < p1 < 1 and 0 < p2 < 1 else None,
        n=len(first),
        n_participants=clusters.count,
    )


def noise_ceiling(ratings: Ratings) -> NoiseCeiling:
    """Ceilings from `ratings` (observers, units), coded as in `agreement`; categories may differ by unit.

    Raises ScoringError where no unit has two answers.
    """
    counts = category_counts(np.where(ratings < 0, MISSING, ratings))
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        raise ScoringError("no unit was answered by two people; there is no ceiling")
    n = int(counts.sum())
    return NoiseCeiling(
        lower=float((counts * _shares_of_others(counts)).sum() / n),
        upper=float((counts * _shares_of_all(counts)).sum() / n),
        n=n,
        n_units=len(counts),
    )


def agreeing(ratings: Ratings, *, with_own: bool) -> NDArray[np.float64]:
    """Of each answer, how far it agrees with the most frequent one to its unit, (observers, units).

    The most frequent of all answers `with_own` (the upper ceiling is their mean), else of the others' (the
    lower). 1 or 0, a tie its share; NaN where there is no answer, or no other.
    """
    counts = category_counts(np.where(ratings < 0, MISSING, ratings))
    shares = _shares_of_all(counts) if with_own else _shares_of_others(counts)
    found = shares[np.arange(ratings.shape[1]), np.maximum(ratings, 0)]
    return np.where((ratings >= 0) & (counts.sum(axis=1) >= 2), found, np.nan)


def _half_correlation(table: CellTable, in_half: NDArray[np.bool_]) -> float | None:
    n1, n2 = table.answers[in_half].sum(axis=0), table.answers[~in_half].sum(axis=0)
    both = (n1 > 0) & (n2 > 0)
    if both.sum() < 3:
        return None
    first = table.hits[in_half].sum(axis=0)[both] / n1[both]
    second = table.hits[~in_half].sum(axis=0)[both] / n2[both]
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _shares_of_others(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Per unit and category, how far who chose it agrees with the most frequent answer of the others: 1, or
    its share where that is tied, or 0.
    """
    shares = np.zeros(counts.shape)
    for category in range(counts.shape[1]):
        others = counts.copy()
        others[:, category] -= 1
        shares[:, category] = _shares_of_all(others)[:, category]
    return shares


def _shares_of_all(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same with everybody's most frequent answer."""
    most = counts == counts.max(axis=1, keepdims=True)
    return most / most.sum(axis=1, keepdims=True)
