"""Whether people know when they are right: rated confidence against correctness. Pure numpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.intervals import Interval, wilson


@dataclass(frozen=True, kw_only=True)
class ConfidenceLevel:
    """One rating with the share of right answers given with it (pooled, Wilson's interval)."""

    level: int
    n: int
    hits: int
    estimate: float
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """levels: by rating. gamma: Goodman and Kruskal's, in [-1, 1]. auroc: area under the type-2 ROC, the
    chance that a right answer was given with more confidence than a wrong one, ties counting half (Fleming &
    Lau 2014); 1/2 if confidence tells nothing. Both None where all answers are right, or all wrong; gamma
    also where all ratings are the same. n_missing: answers without a rating.
    """

    levels: tuple[ConfidenceLevel, ...]
    gamma: float | None
    auroc: float | None
    n_missing: int


def calibration(
    confidence: NDArray[np.float64], is_correct: NDArray[np.bool_], *, interval: float = 0.95
) -> Calibration:
    """`confidence` are whole numbers, more is surer, NaN where not rated; `interval` is the intervals' level.

    Raises ScoringError for ratings that are not whole numbers and for unequal lengths.
    """
    if len(confidence) != len(is_correct):
        raise ScoringError(f"{len(confidence)} ratings for {len(is_correct)} answers; they must be as many")
    known = ~np.isnan(confidence)
    ratings, right = confidence[known], is_correct[known]
    odd = ratings[ratings != np.round(ratings)]
    if len(odd):
        raise ScoringError(f"a confidence is {odd[0]}; it must be a whole number or NaN")
    values, codes = np.unique(ratings, return_inverse=True)
    n = np.bincount(codes, minlength=len(values))
    hits = np.bincount(codes[right], minlength=len(values))
    levels = tuple(
        ConfidenceLevel(level=int(v), n=m, hits=h, estimate=h / m, interval=wilson(h, m, interval))
        for v, m, h in zip(values.tolist(), n.tolist(), hits.tolist(), strict=True)
    )
    gamma, auroc = _ordering(hits, n - hits)
    return Calibration(levels=levels, gamma=gamma, auroc=auroc, n_missing=int((~known).sum()))


def _ordering(right: NDArray[np.int64], wrong: NDArray[np.int64]) -> tuple[float | None, float | None]:
    """Gamma and the area under the ROC from counts per rating, lowest first."""
    pairs = int(right.sum() * wrong.sum())
    if not pairs:
        return None, None
    below = np.cumsum(wrong) - wrong
    concordant, tied = int((right * below).sum()), int((right * wrong).sum())
    discordant = pairs - concordant - tied
    untied = concordant + discordant
    gamma = (concordant - discordant) / untied if untied else None
    return gamma, (concordant + tied / 2) / pairs
