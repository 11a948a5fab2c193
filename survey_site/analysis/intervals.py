"""Confidence intervals of a condition's score by formula: two-way (the default), cluster sums, pooled."""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.cells import CellTable

FloatArray = NDArray[Any]  # float64; numpy's stubs lose the type in linalg

#: How far below zero, in its own noise, what participants or items add may lie: see `twoway`.
LET_BELOW_ZERO, MOST_BELOW_ZERO = 0.7, 1 / 3
#: As what power of p (1 - p) the variance grows that participants and items add: see `twoway`.
CLUSTER_GROWTH = 1.5


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a proportion; low and high in [0, 1]. The note says what it fell back to."""

    low: float
    high: float
    note: str = ""


def wilson(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a pooled proportion, without continuity correction (Wilson 1927)."""
    return _pooled(hits, n, confidence, "wilson")


def clopper_pearson(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """The exact binomial interval of a pooled proportion (Clopper & Pearson 1934)."""
    return _pooled(hits, n, confidence, "exact")


def clopper_pearson_of_share(share: float, n: int, confidence: float) -> tuple[float, float]:
    """Clopper & Pearson's ends for a share of `n` answers that need not be a whole number of them."""
    hits, tail = share * n, (1 - confidence) / 2
    low = float(scipy.stats.beta.ppf(tail, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(scipy.stats.beta.isf(tail, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def twoway(table: CellTable, confidence: float = 0.95) -> Interval:
    """The default: two-way variance with a residual by analysis of variance, and ends that respect [0, 1].

    ``V = V_participants + V_items - R``: the cluster variances of `cluster`, and the residual part
    ``R = sum_cells (n e)^2 / N^2 * M / (M - P - I + 1)`` (e: residual of the additive fit participant + item
    to the cells' shares, n: rows of a cell, M: cells; 1 more for each further list of items that shares no
    participant with the others). What participants and items add, ``A = V_. - R``, is
    often negative where they do not differ. Cut at zero it would add to the sum on average; uncut the sum
    would be unsteady and at times negative. So each A is cut at seven tenths of its own noise below zero,
    ``-.7 sqrt(2 / (P - 1)) R``, and never counts for less than ``-R / 3``: with few participants or items the
    noise is so large that the two could take all of R away. (The .7 and the third are ours, from simulation.)

    V has ``V^2 / (R^2/(M - P - I + 1) + V_participants^2/(P - 1) + V_items^2/(I - 1))`` degrees of freedom
    (Satterthwaite 1946), without the terms of what is negative. The ends are the shares p at which a score
    test does not reject: ``(score - p)^2 = t^2 V(p)``, where R grows as ``p (1 - p)``, as for single answers
    (Wilson 1927), and the A as its power of 1.5: between single answers' and that of effects that are normal
    on the logit scale, ``(p (1 - p))^2``.

    Covers .934-.970 of the 1,000 simulated studies in each setting of docs/coverage.md, where `cluster`, with
    t on min(P, I) - 1, goes down to .902: with few participants or items, with shares far from one half, and
    where there are no effects.
    Falls back to `cluster`, and says so, with one participant, one item, too few cells for a residual or no
    spread.
    """
    people, items = table.answers.shape
    cells, freedom = residual_freedom(table)
    by_participant, by_item = table.by_participant.variance(), table.by_item.variance()
    if min(people, items) == 1 or freedom < 1 or not (by_participant or by_item or table.by_cell.variance()):
        fallback = cluster(table, confidence)
        return replace(fallback, note=fallback.note or "too few cells for a residual: cluster sums")
    residual = additive_residual_variance(table) * cells / freedom
    added, spread = 0.0, residual**2 / freedom
    for clustered, count in ((float(by_participant), people), (float(by_item), items)):
        own = clustered - residual
        added += cut_below_zero(own, residual, count)
        spread += clustered**2 / (count - 1) if own > 0 else 0.0
    if not spread:  # participants and items explain every answer, and do not differ
        return _without_spread(table, confidence)
    t = float(scipy.stats.t.ppf((1 + confidence) / 2, (residual + added) ** 2 / spread))
    return _score_interval(table.estimate, residual, added, t)


def cluster(table: CellTable, confidence: float = 0.95) -> Interval:
    """Interval from the two-way cluster variance (Cameron, Gelbach & Miller 2011, eq. 2.11).

    ``V = V_participants + V_items - V_residual`` with V_residual over the cells, each corrected by
    G / (G - 1), and a t on min(P, I) - 1 degrees of freedom; clipped to [0, 1]. The corrections are those of
    statsmodels and Stata; without them 10 x 8 studies are covered .89-.93 of the time instead of .93-.94.

    Falls back, and says so in the note: with one participant (item) to the one-way variance over items
    (participants) on their count - 1 degrees of freedom; with a sum that is not positive to the largest of
    its three parts; without any spread (all right, all wrong, a single cell) to Clopper-Pearson on as many
    answers as there are clusters of the scarcer kind: identical clusters are no more evidence than that.
    """
    by_participant, by_item = table.by_participant, table.by_item
    parts = (by_participant.variance(), by_item.variance(), table.by_cell.variance())
    varying = [clusters.count for clusters in (by_participant, by_item) if clusters.count > 1]
    if not varying or not any(parts):
        return _without_spread(table, confidence)
    variance, note = _combined(parts, by_participant.count, by_item.count)
    half = sqrt(variance) * float(scipy.stats.t.ppf((1 + confidence) / 2, min(varying) - 1))
    mean = table.estimate
    return Interval(max(0.0, mean - half), min(1.0, mean + half), note)


def cut_below_zero(added: float, residual: float, count: int) -> float:
    """What `count` participants or items add, cut where it lies far below zero: see `twoway`."""
    return max(added, -min(LET_BELOW_ZERO * sqrt(2 / (count - 1)), MOST_BELOW_ZERO) * residual)


def residual_freedom(table: CellTable) -> tuple[int, int]:
    """How many cells were answered, and the degrees of freedom that the fit participant + item leaves them.

    Lists of items that share no participant have each a level of their own.
    """
    people, items = table.answers.shape
    seen = table.answers > 0
    cells = int(seen.sum())
    lists = 1
    if cells < seen.size:
        person, item = np.nonzero(seen)
        nodes = people + items
        edges = scipy.sparse.csr_array((np.ones(cells), (person, people + item)), shape=(nodes, nodes))
        lists = int(scipy.sparse.csgraph.connected_components(edges, directed=False)[0])
    return cells, cells - people - items + lists


def additive_residual_variance(table: CellTable) -> float:
    """``sum_cells (n e)^2 / N^2``, e from the least-squares fit participant + item to the cells' shares."""
    return float(np.square(additive_residuals(table)).sum() / table.n**2)


def additive_residuals(table: CellTable) -> FloatArray:
    """``n e`` of `additive_residual_variance`, (participants, items).

    Cells weigh as many rows as they have. One item's level is fixed by the rest, hence the pseudo-inverse.
    """
    n, hits = table.answers.astype(float), table.hits.astype(float)
    if np.all(n == n[0, 0]):  # complete: levels are means
        levels = hits.mean(axis=1, keepdims=True) + hits.mean(axis=0, keepdims=True) - hits.mean()
        return np.asarray(hits - levels)
    per_person = n.sum(axis=1)
    scaled = n / per_person[:, None]
    item_matrix = np.diag(n.sum(axis=0)) - n.T @ scaled
    item_level = np.linalg.pinv(item_matrix, hermitian=True) @ (
        hits.sum(axis=0) - scaled.T @ hits.sum(axis=1)
    )
    person_level = (hits.sum(axis=1) - n @ item_level) / per_person
    return np.asarray(hits - n * (person_level[:, None] + item_level[None, :]))


def _score_interval(share: float, residual: float, added: float, t: float) -> Interval:
    """The shares p with ``(share - p)^2 <= t^2 V(p)``; V is `residual` + `added` at `share`."""
    if residual + added <= 0 or not 0 < share < 1:
        return Interval(share, share, "no variance")

    def excess(p: float) -> float:
        scale = p * (1 - p) / (share * (1 - share))
        grown = scale**CLUSTER_GROWTH if added > 0 else scale
        return (share - p) ** 2 - t * t * (residual * scale + added * grown)

    low, high = (float(scipy.optimize.brentq(excess, share, end, xtol=1e-12)) for end in (0.0, 1.0))
    return Interval(low, high)


def _pooled(hits: int, n: int, confidence: float, method: str) -> Interval:
    if n < 1 or not 0 <= hits <= n:
        raise ScoringError(f"{hits} hits of {n}; n must be 1 or more and hits between 0 and n")
    interval = scipy.stats.binomtest(hits, n).proportion_ci(confidence_level=confidence, method=method)
    return Interval(float(interval.low), float(interval.high))


def _combined(
    parts: tuple[Fraction, Fraction, Fraction], participants: int, items: int
) -> tuple[Fraction, str]:
    """The variance to use and the note on it; `parts` are those over participants, items and cells."""
    if participants == 1:
        return max(parts[1:]), "one participant: variance over items only"
    if items == 1:
        return max(parts[0], parts[2]), "one item: variance over participants only"
    total = parts[0] + parts[1] - parts[2]
    if total > 0:
        return total, ""
    return max(parts), "the two-way sum was not positive: largest of its parts"


def _without_spread(table: CellTable, confidence: float) -> Interval:
    answers = min((count for count in table.answers.shape if count > 1), default=table.n)
    low, high = clopper_pearson_of_share(table.estimate, answers, confidence)
    return Interval(low, high, f"no spread between clusters: Clopper-Pearson on {answers}")
