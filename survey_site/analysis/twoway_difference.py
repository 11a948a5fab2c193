"""How sure the difference of two conditions is over participants and items at once. Numpy and scipy."""

from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.cells import CellTable
from survey_site.analysis.intervals import additive_residuals, cut_below_zero, residual_freedom

FloatArray = NDArray[Any]  # float64; numpy's stubs lose the type in bincount

#: Variances below are those of rounding.
ROUNDING = 1e-24
NO_RESIDUAL = "too few cells for a residual, so what is left over counts twice: conservative"


class PairedCells(NamedTuple):
    """Two conditions' cells of the participants who answered both, in one order; items are named."""

    first: CellTable
    second: CellTable
    first_items: tuple[str, ...]
    second_items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TwoWayDifference:
    """estimate: mean over participants of (share right in the first) - (in the second). error: its standard
    error over participants and items; freedom: Satterthwaite's degrees of freedom, 1 or more.
    """

    estimate: float
    error: float
    freedom: float
    note: str = ""

    @property
    def p_value(self) -> float:
        """Two-sided, of no difference."""
        return 2 * float(scipy.stats.t.sf(abs(self.estimate) / self.error, self.freedom))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        half = self.error * float(scipy.stats.t.ppf((1 + confidence) / 2, self.freedom))
        return self.estimate - half, self.estimate + half


def paired_cells(table: AnswerTable, first: str, second: str) -> PairedCells:
    """Cells of who answered both conditions, ordered by their answers: names do not matter.

    Raises ScoringError for a condition without answers, and where nobody answered both.
    """
    grids = [table.grid(name) for name in (first, second)]
    both = np.all([answers.any(axis=1) for _, answers, _ in grids], axis=0)
    if not both.any():
        raise ScoringError("no participant answered both conditions; there is nothing to compare")
    answers, hits = (np.hstack([grid[part][both] for grid in grids]) for part in (1, 2))
    joint, n = CellTable.in_own_order(answers, hits), grids[0][1].shape[1]
    parts = [
        _answered(joint, columns, grid[0]) for grid, columns in zip(grids, _split(joint, n), strict=True)
    ]
    return PairedCells(parts[0][0], parts[1][0], parts[0][1], parts[1][1])


def twoway_difference(cells: PairedCells) -> TwoWayDifference:
    """The difference with the two-way variance of `intervals.twoway`, for conditions with items of their own.

    ``V = V_participants + V_items1 + V_items2 - R1 - R2``: the variance of participants' paired differences
    over their number; of each condition the variance that its items' sums give the mean, with I / (I - 1);
    and of each the residual ``sum_cells (w e)^2 M / (M - P - I + 1)`` of the additive fit participant + item,
    which the other parts hold once more. w: what a cell's rows weigh in the estimate. What participants and
    items add beyond residuals is cut below zero as in `intervals.twoway`, and degrees of freedom are made as
    there (Satterthwaite 1946). Where both conditions share items by name, an item is one cluster of both.

    Of simulated pairs without a difference .030-.057 are rejected at .05 where everybody answered most items,
    fewer (.009-.050) where lists of items share no participant; the permutation test over participants alone
    rejects .15-.57 of those whose items differ as much as people do (SD .7 on the logit scale).
    `tests/analysis/test_twoway_difference.py` simulates some. Raises ScoringError with one participant, with
    one item in a condition, and without any spread.
    """
    tables = (cells.first, cells.second)
    people = len(cells.first.answers)
    if people < 2:
        raise ScoringError("one participant answered both: nothing is known about how people differ")
    if min(table.answers.shape[1] for table in tables) < 2:
        raise ScoringError("a condition has one item: nothing is known about how items differ")
    shares = [table.hits.sum(axis=1) / table.answers.sum(axis=1) for table in tables]
    differences = shares[0] - shares[1]
    residuals = [_residual(table) for table in tables]
    residual = sum(part.variance for part in residuals)
    added, spread = 0.0, sum(part.variance**2 / part.freedom for part in residuals if part.freedom)
    clustered = [_Clustered(float(differences.var(ddof=1)) / people, people, residual)]
    for variance, count, own_residual in [*clustered, *_over_items(cells, [r.variance for r in residuals])]:
        added += cut_below_zero(variance - own_residual, own_residual, count)
        spread += variance**2 / (count - 1) if variance > own_residual else 0.0
    if residual + added <= ROUNDING:
        raise ScoringError(
            "no spread: all participants, or all answers, are alike, which says nothing of others"
        )
    return TwoWayDifference(
        estimate=float(differences.mean()),
        error=sqrt(residual + added),
        freedom=max(1.0, (residual + added) ** 2 / spread),
        note="" if all(part.freedom for part in residuals) else NO_RESIDUAL,
    )


class _Clustered(NamedTuple):
    """A variance over clusters, of how many, and the residual within it."""

    variance: float
    n: int
    residual: float


class _Residual(NamedTuple):
    variance: float
    freedom: int


def _residual(table: CellTable) -> _Residual:
    cells, freedom = residual_freedom(table)
    if freedom < 1:
        return _Residual(0.0, 0)
    weighted = additive_residuals(table) * _weights(table)
    return _Residual(float(np.square(weighted).sum()) * cells / freedom, freedom)


def _over_items(cells: PairedCells, residuals: list[float]) -> list[_Clustered]:
    """Per condition; where they share items, of both at once."""
    sums = [_item_sums(cells.first), _item_sums(cells.second)]
    if set(cells.first_items).isdisjoint(cells.second_items):
        return [_clustered(own, residual) for own, residual in zip(sums, residuals, strict=True)]
    _, item = np.unique([*cells.first_items, *cells.second_items], return_inverse=True)
    return [_clustered(np.bincount(item, weights=np.concatenate([sums[0], -sums[1]])), sum(residuals))]


def _clustered(sums: FloatArray, residual: float) -> _Clustered:
    return _Clustered(float(np.square(sums).sum()) * len(sums) / (len(sums) - 1), len(sums), residual)


def _item_sums(table: CellTable) -> FloatArray:
    """What each item adds to the participants' mean share, apart from that mean."""
    weights = _weights(table)
    mean = (table.hits * weights).sum()
    return ((table.hits - table.answers * mean) * weights).sum(axis=0)


def _weights(table: CellTable) -> FloatArray:
    """What one row of a participant weighs in the mean of participants' shares, (participants, 1)."""
    return 1 / (len(table.answers) * table.answers.sum(axis=1, keepdims=True))


def _split(joint: CellTable, n: int) -> list[slice]:
    return [slice(0, n), slice(n, joint.answers.shape[1])]


def _answered(joint: CellTable, columns: slice, items: tuple[str, ...]) -> tuple[CellTable, tuple[str, ...]]:
    """One condition's part of the joint cells, without items that none of these participants answered."""
    answers, hits = joint.answers[:, columns], joint.hits[:, columns]
    seen = answers.any(axis=0)
    names = tuple(items[place] for place in np.flatnonzero(seen))
    return CellTable(answers[:, seen], hits[:, seen]), names
