"""Confidence intervals of a condition's score by formula: pooled, two-way clustered, variance components."""

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

import numpy as np
from scipy import stats

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.cells import CellTable

#: How far below zero, in its own noise, an estimated component may lie: see `components`.
LET_BELOW_ZERO = 0.3


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


def twoway(table: CellTable, confidence: float = 0.95) -> Interval:
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
    half = sqrt(variance) * float(stats.t.ppf((1 + confidence) / 2, min(varying) - 1))
    mean = table.estimate
    return Interval(max(0.0, mean - half), min(1.0, mean + half), note)


def components(table: CellTable, confidence: float = 0.95) -> Interval:
    """Interval from variance components: holds its coverage where the two-way sum is unsteady.

    The variance of the score is split as by analysis of variance into a residual part
    ``R = sum_cells (n e)^2 / N^2 * M / (M - P - I + 1)`` (e: residual of the additive fit participant + item
    to the cells' shares, n: rows of a cell, M: cells) and what participants and items add to it,
    ``A_p = V_participants - R``, ``A_i`` likewise, with the cluster variances of `twoway`. Cut at zero they
    would add to the sum on average where there are no effects; so they are cut at
    ``-.3 sqrt(2 / (P - 1)) R``, three tenths of their noise (the .3 is ours, from simulation). The sum has
    ``(R + A_p + A_i)^2 / (R^2/(M - P - I + 1) + A_p V_participants/(P - 1) + A_i V_items/(I - 1))`` degrees
    of freedom, after Satterthwaite 1946, with negative A left out below. Ends are Wilson's for the share and
    the number of independent answers that would have this variance (Korn & Graubard 1998 do so with
    Clopper-Pearson), so they stay inside [0, 1].

    Differs from `twoway` where that undercovers: few participants or items, shares far from one half, and
    no effects at all (docs/coverage.md).
    Falls back to `twoway` with one participant, one item or too few cells for a residual, and says so.
    """
    people, items = table.answers.shape
    cells = int(np.count_nonzero(table.answers))
    freedom = cells - people - items + 1
    by_participant, by_item = table.by_participant.variance(), table.by_item.variance()
    if min(people, items) == 1 or freedom < 1 or not (by_participant or by_item or table.by_cell.variance()):
        fallback = twoway(table, confidence)
        reason = "one participant, one item or too few cells for components: two-way"
        return Interval(fallback.low, fallback.high, "; ".join(filter(None, [reason, fallback.note])))
    residual = additive_residual_variance(table) * cells / freedom
    variance, spread = residual, residual**2 / freedom
    for clustered, count in ((float(by_participant), people), (float(by_item), items)):
        added = max(clustered - residual, -LET_BELOW_ZERO * sqrt(2 / (count - 1)) * residual)
        variance += added
        spread += max(0.0, added) * clustered / (count - 1)
    if not spread:  # participants and items explain every answer, and do not differ
        return _without_spread(table, confidence)
    t = float(stats.t.ppf((1 + confidence) / 2, variance**2 / spread))
    return _wilson_of(table.estimate, variance, t)


def additive_residual_variance(table: CellTable) -> float:
    """``sum_cells (n e)^2 / N^2`` with e from the least-squares fit participant + item to the cells' shares.

    Cells weigh as many rows as they have. One item's level is fixed by the rest, hence the pseudo-inverse.
    """
    n, hits = table.answers.astype(float), table.hits.astype(float)
    if np.all(n == n[0, 0]):  # complete: levels are means
        levels = hits.mean(axis=1, keepdims=True) + hits.mean(axis=0, keepdims=True) - hits.mean()
        return float(np.square(hits - levels).sum() / n.sum() ** 2)
    per_person = n.sum(axis=1)
    scaled = n / per_person[:, None]
    item_matrix = np.diag(n.sum(axis=0)) - n.T @ scaled
    item_level = np.linalg.pinv(item_matrix, hermitian=True) @ (
        hits.sum(axis=0) - scaled.T @ hits.sum(axis=1)
    )
    person_level = (hits.sum(axis=1) - n @ item_level) / per_person
    residuals = hits - n * (person_level[:, None] + item_level[None, :])
    return float(np.square(residuals).sum() / n.sum() ** 2)


def _wilson_of(share: float, variance: float, t: float) -> Interval:
    """Wilson's ends for a share whose variance is known by other means than counting its answers."""
    if variance <= 0 or not 0 < share < 1:
        return Interval(share, share, "no variance")
    answers = share * (1 - share) / variance
    centre = (share + t * t / (2 * answers)) / (1 + t * t / answers)
    half = t / (1 + t * t / answers) * sqrt(variance + t * t / (4 * answers * answers))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def _pooled(hits: int, n: int, confidence: float, method: str) -> Interval:
    if n < 1 or not 0 <= hits <= n:
        raise ScoringError(f"{hits} hits of {n}; n must be 1 or more and hits between 0 and n")
    interval = stats.binomtest(hits, n).proportion_ci(confidence_level=confidence, method=method)
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
    hits, tail = table.estimate * answers, (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, hits, answers - hits + 1)) if hits > 0 else 0.0
    high = float(stats.beta.isf(tail, hits + 1, answers - hits)) if hits < answers else 1.0
    return Interval(low, high, f"no spread between clusters: Clopper-Pearson on {answers}")
