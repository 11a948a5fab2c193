"""Answers and hits per participant and item of one condition, and the clusters that they form. Pure numpy."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import fsum

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CellTable:
    """Answers and hits, each (participants, items): a cell's rows, and those of them that are right."""

    answers: IntArray
    hits: IntArray

    @classmethod
    def in_own_order(cls, answers: IntArray, hits: IntArray) -> "CellTable":
        """Participants sorted by what they answered: an order that neither names nor rows set."""
        both = np.ascontiguousarray(np.hstack([answers, hits]), dtype=">i4")
        order = np.argsort(both.view(f"V{both.shape[1] * 4}").ravel(), kind="stable")
        return cls(answers=answers[order], hits=hits[order])

    @property
    def n(self) -> int:
        return int(self.answers.sum())

    @property
    def estimate(self) -> float:
        """Share of the rows that are right, in [0, 1]."""
        return int(self.hits.sum()) / self.n

    @property
    def by_participant(self) -> "Clusters":
        return Clusters(self.answers.sum(axis=1), self.hits.sum(axis=1))

    @property
    def by_item(self) -> "Clusters":
        return Clusters(self.answers.sum(axis=0), self.hits.sum(axis=0))

    @property
    def by_cell(self) -> "Clusters":
        seen = self.answers > 0
        return Clusters(self.answers[seen], self.hits[seen])


class Clusters:
    """Clusters of responses as sorted distinct (n, hits) with their multiplicity: names are gone."""

    def __init__(self, n: IntArray, hits: IntArray) -> None:
        self.count = len(n)
        base = int(n.max()) + 1
        kinds, self.multiplicity = np.unique(n * base + hits, return_counts=True)
        self.n, self.hits = np.divmod(kinds, base)

    def mean_of_means(self) -> float:
        return fsum(m * h / n for n, h, m in self) / self.count

    def variance(self) -> Fraction:
        """Variance of the pooled mean as if only these clusters varied, ``G / (G - 1)`` corrected, exact.

        ``G / (G - 1) * sum_g (hits_g - n_g * mean)^2 / N^2``; 0 for a single cluster.
        """
        if self.count == 1:
            return Fraction(0)
        total = sum(m * n for n, _, m in self)
        right = sum(m * h for _, h, m in self)
        squares = sum(m * (total * h - n * right) ** 2 for n, h, m in self)
        return Fraction(self.count * squares, (self.count - 1) * total**4)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return zip(self.n.tolist(), self.hits.tolist(), self.multiplicity.tolist(), strict=True)
