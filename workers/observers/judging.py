"""From distances to a choice: the nearest option, or a tie. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

#: Distances that differ by less than this share of the largest differ by rounding only.
TIE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Judgement:
    """What an observer makes of one reference.

    `distances`: one per option, in the options' order. `nearest`: places of the options that no other one
    beats; several of them tie; none where a distance is not a number.
    """

    distances: tuple[float, ...]
    nearest: tuple[int, ...]

    @property
    def choice(self) -> int | None:
        """The place of the option chosen; None for a tie and where nothing can be said."""
        return self.nearest[0] if len(self.nearest) == 1 else None

    def credit(self, answer: int) -> float | None:
        """1 where the answer is chosen, 0 where not; 1 / m where it is one of m that tie (one half of two).

        None where nothing can be said.
        """
        if not self.nearest:
            return None
        return 1 / len(self.nearest) if answer in self.nearest else 0.0


def judge(distances: Sequence[float]) -> Judgement:
    """The option at the smallest distance, or the tie between those as near as it.

    Two options tie if their distances differ by at most TIE_TOLERANCE of the largest: people choose or time
    out, an algorithm before two equal images does neither (the released code of Nanda et al. 2023 counted
    ties as aligned). Raises ValueError for fewer than two distances.

    >>> judge([0.3, 0.1]).choice, judge([0.2, 0.2]).credit(0)
    (1, 0.5)
    """
    if len(distances) < 2:
        raise ValueError(f"{len(distances)} distances; a judgement needs two options or more")
    given = tuple(map(float, distances))
    if not all(map(math.isfinite, given)):
        return Judgement(given, ())
    least, width = min(given), TIE_TOLERANCE * max(map(abs, given))
    return Judgement(given, tuple(place for place, one in enumerate(given) if one - least <= width))


def judge_odd_one(between: Mapping[tuple[int, int], float], n_options: int) -> Judgement:
    """The odd one out of options that are compared with each other: without it the rest lie closest together.

    `between`: distance by pair of places, the smaller first. An option's distance here is the mean distance
    among the others. Raises ValueError for fewer than three options.
    """
    if n_options < 3:
        raise ValueError(f"{n_options} options; an odd one out needs three or more")
    return judge([_mean_among(between, set(range(n_options)) - {place}) for place in range(n_options)])


def _mean_among(between: Mapping[tuple[int, int], float], places: set[int]) -> float:
    pairs = list(combinations(sorted(places), 2))
    return math.fsum(between[pair] for pair in pairs) / len(pairs)
