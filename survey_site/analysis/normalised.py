"""A score on the scale from chance to the noise ceiling, with an interval. Numpy and scipy."""

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.intervals import clopper_pearson_of_share

FloatArray = NDArray[Any]  # float64; numpy's stubs lose the type in linalg

#: Variances below are those of rounding.
ROUNDING = 1e-15
NO_INTERVAL = "no interval: in these answers score and ceiling do not vary apart"


@dataclass(frozen=True)
class NormalisedScore:
    """0 at chance, 1 at the ceiling; may lie outside, and then the note says so: nothing is clipped.

    low, high: its interval, None without one.
    """

    value: float
    note: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class CeilingCells:
    """One condition's answers, all arrays (participants, items).

    answers, hits: rows of the cell, and those of them that are right, for the score. rated: first answers to
    units that others answered too; agreeing: of them those that agree with the most frequent answer (of the
    others for the lower ceiling, of all for the upper), a tie counting its share.
    """

    answers: FloatArray
    hits: FloatArray
    rated: FloatArray
    agreeing: FloatArray


def normalised(score: float, *, chance: float, ceiling: float) -> NormalisedScore:
    """``(score - chance) / (ceiling - chance)``, all three shares in [0, 1].

        >>> normalised(0.75, chance=0.5, ceiling=0.9).value
        0.625

    Raises ScoringError where the ceiling is not above chance: then people's own answers hold nothing that a
    score could be measured against.
    """
    for name, share in (("score", score), ("chance", chance), ("ceiling", ceiling)):
        if not 0 <= share <= 1:
            raise ScoringError(f"{name} is {share!r}; it must lie between 0 and 1")
    if ceiling <= chance:
        raise ScoringError(f"the ceiling {ceiling:.3f} is not above chance {chance:.3f}; nothing to scale by")
    value = (score - chance) / (ceiling - chance)
    if value > 1:
        return NormalisedScore(value, "above the noise ceiling")
    return NormalisedScore(value, "below chance" if value < 0 else "")


def normalised_with_interval(
    cells: CeilingCells, *, chance: float, confidence: float = 0.95
) -> NormalisedScore:
    """The normalised score with Fieller's interval (Fieller 1954, J. R. Stat. Soc. B 16:175) of the ratio.

    The ratios v for which ``(score - chance) - v (ceiling - chance)`` does not differ from 0: score and
    ceiling come from the same answers, and their two-way cluster covariance over participants and items, with
    t on min(P, I) - 1, lets them vary together. It is that of `intervals.cluster`, but what participants or
    items add to the variance over cells is cut at zero. What is the most frequent answer is taken as given;
    where that leaves nothing that varies (it is the target in every unit, and the score is the ceiling) there
    is no interval, and the note says so.

    Raises ScoringError where the ceiling's own interval reaches down to chance, since then the ratio has no
    bound, and with a single participant or item.
    """
    people, items = cells.answers.shape
    if min(people, items) < 2:
        raise ScoringError(f"{people} participants and {items} items; the interval needs 2 or more of each")
    score = float(cells.hits.sum() / cells.answers.sum())
    ceiling = min(1.0, float(cells.agreeing.sum() / cells.rated.sum()))  # thirds add up to a bit more
    point = normalised(score, chance=chance, ceiling=ceiling)
    covariance = _covariance(cells, score, ceiling)
    t = float(scipy.stats.t.ppf((1 + confidence) / 2, min(people, items) - 1))
    _refuse_unclear(ceiling, chance, float(covariance[1, 1]), t, min(people, items), confidence)
    low, high = _fieller(score - chance, ceiling - chance, t * t * covariance)
    if high - low < sqrt(ROUNDING):
        return replace(point, note="; ".join(filter(None, [point.note, NO_INTERVAL])))
    return replace(point, low=low, high=high)


def _covariance(cells: CeilingCells, score: float, ceiling: float) -> FloatArray:
    """Of score and ceiling, (2, 2): that over cells, and what participants and items add to it."""
    apart = np.stack(
        [
            (cells.hits - cells.answers * score) / cells.answers.sum(),
            (cells.agreeing - cells.rated * ceiling) / cells.rated.sum(),
        ],
        axis=-1,
    )
    over_cells = _clustered(apart[cells.answers + cells.rated > 0])
    return over_cells + sum(_positive(_clustered(apart.sum(axis=axis)) - over_cells) for axis in (0, 1))


def _positive(added: FloatArray) -> FloatArray:
    """Without the directions in which it is negative, which it can be where the clusters do not differ."""
    sizes, directions = np.linalg.eigh(added)
    return (directions * np.maximum(sizes, 0)) @ directions.T


def _clustered(sums: FloatArray) -> FloatArray:
    """From the sums of each cluster, (clusters, 2)."""
    return len(sums) / (len(sums) - 1) * sums.T @ sums


def _refuse_unclear(
    ceiling: float, chance: float, variance: float, t: float, clusters: int, confidence: float
) -> None:
    if variance > ROUNDING:
        half = t * sqrt(variance)
        low, high = ceiling - half, ceiling + half
    else:  # identical clusters are no more evidence than as many answers
        low, high = clopper_pearson_of_share(ceiling, clusters, confidence)
    if low <= chance:
        raise ScoringError(
            f"the ceiling {ceiling:.3f} ({confidence:.0%} interval {max(0, low):.3f} to {min(1, high):.3f}) "
            f"is not clearly above chance {chance:.3f}; nothing to scale by"
        )


def _fieller(above: float, scale: float, spread: FloatArray) -> tuple[float, float]:
    """The v with ``(above - v scale)^2 <= spread[0, 0] - 2 v spread[0, 1] + v^2 spread[1, 1]``."""
    a = scale**2 - spread[1, 1]
    b = above * scale - spread[0, 1]
    c = above**2 - spread[0, 0]
    root = sqrt(max(0.0, b * b - a * c))
    return float((b - root) / a), float((b + root) / a)
