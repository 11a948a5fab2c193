"""Agreement between observers: Fleiss' kappa, Krippendorff's alpha, error consistency. Pure numpy.

`ratings` is (observers, units) everywhere: a whole number from 0 names the category that the observer chose
for the unit, -1 that there is no answer. A unit is one reference of one trial. Where every trial has options
of its own, categories compare over trials only as right (1) and wrong (0).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_site.analysis.answers import ScoringError

Ratings = NDArray[np.integer]
MISSING = -1


@dataclass(frozen=True, kw_only=True)
class ErrorConsistency:
    """Over pairs of observers that share units: mean kappa and its standard deviation over pairs.

    observed, expected: mean share of units that a pair agrees on, and that two independent observers of their
    accuracies would. n_pairs: pairs with a kappa. n_undefined: pairs without, because both were always right
    or both always wrong on the units they share. mean and spread are None without any pair.
    """

    mean: float | None
    spread: float | None
    observed: float | None
    expected: float | None
    n_pairs: int
    n_undefined: int


def category_counts(ratings: Ratings) -> NDArray[np.int64]:
    """How many observers chose each category, (units, categories); needs at least one answer."""
    _check(ratings)
    observers, units = ratings.shape
    categories = int(ratings.max()) + 1
    unit = np.broadcast_to(np.arange(units), (observers, units))
    seen = ratings != MISSING
    cell = unit[seen] * categories + ratings[seen]
    return np.bincount(cell, minlength=units * categories).reshape(units, categories)


def fleiss_kappa(ratings: Ratings) -> float:
    """Fleiss' kappa, (P - P_e) / (1 - P_e) (Fleiss 1971, Psychol. Bull. 76:378); 1 is full agreement.

    Raises ScoringError unless every unit was rated by equally many observers, two or more (otherwise use
    `krippendorff_alpha`), and where all ratings are the same, since agreement by chance is full then.
    """
    counts = category_counts(ratings)
    per_unit = counts.sum(axis=1)
    observers = int(per_unit[0])
    if observers < 2 or np.any(per_unit != observers):
        raise ScoringError(
            f"units were rated by {per_unit.min()} to {per_unit.max()} observers; Fleiss' kappa needs "
            "equally many, 2 or more"
        )
    agreed = float((np.square(counts).sum() - per_unit.sum()) / (per_unit.sum() * (observers - 1)))
    shares = counts.sum(axis=0) / counts.sum()
    expected = float(np.square(shares).sum())
    if np.count_nonzero(shares) == 1:
        raise ScoringError("all ratings are the same; kappa is undefined")
    return (agreed - expected) / (1 - expected)


def krippendorff_alpha(ratings: Ratings) -> float:
    """Krippendorff's alpha for nominal data, ``1 - D_o / D_e`` (Krippendorff 2011, example C); any layout.

    Units with a single rating pair with nothing and are left out. Raises ScoringError where no unit has two
    ratings and where all paired ratings are the same.
    """
    counts = category_counts(ratings)
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        raise ScoringError("no unit was rated by two observers; there is nothing to compare")
    per_unit = counts.sum(axis=1)
    total = int(per_unit.sum())
    matching = float((counts * (counts - 1) / (per_unit - 1)[:, None]).sum())
    by_chance = int(np.square(counts.sum(axis=0)).sum())
    if by_chance == total**2:
        raise ScoringError("all ratings are the same; alpha is undefined")
    return 1 - (total - 1) * (total - matching) / (total**2 - by_chance)


def error_consistency(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Do two observers err on the same units? ``(c_obs - c_exp) / (1 - c_exp)`` (Geirhos et al. 2020, eq. 1).

    `first`, `second`: right or not, per unit. c_obs: share of units on which both are right or both wrong;
    c_exp = p1 p2 + (1 - p1)(1 - p2). 0 for independent errors, 1 for the same. Raises ScoringError where both
    are always right or both always wrong, and for unequal or no units.

        >>> error_consistency(np.array([True, True, False, False]), np.array([True, False, False, False]))
        0.5
    """
    if len(first) != len(second) or not len(first):
        raise ScoringError(f"{len(first)} and {len(second)} answers; both need the same units, 1 or more")
    p1, p2 = float(first.mean()), float(second.mean())
    expected = p1 * p2 + (1 - p1) * (1 - p2)
    if expected == 1:
        raise ScoringError("both observers are always right or both always wrong; consistency is undefined")
    return (float((first == second).mean()) - expected) / (1 - expected)


def mean_error_consistency(ratings: Ratings) -> ErrorConsistency:
    """`error_consistency` over all pairs of observers on the units they share; ratings 1 right, 0 wrong."""
    _check(ratings)
    if ratings.max() > 1:
        raise ScoringError(f"a rating is {ratings.max()}; error consistency needs 1 (right), 0 (wrong) or -1")
    seen, right = (ratings != MISSING).astype(float), (ratings == 1).astype(float)
    shared = seen @ seen.T
    both_right, own_right = right @ right.T, right @ seen.T
    pairs = np.triu(shared > 0, k=1)
    n, both, first, second = shared[pairs], both_right[pairs], own_right[pairs], own_right.T[pairs]
    observed = (n - first - second + 2 * both) / n
    # In whole numbers, so that certain agreement is found exactly.
    undefined = (first * second + (n - first) * (n - second)) == n * n
    expected = (first * second + (n - first) * (n - second)) / (n * n)
    defined = ~undefined
    kappa = (observed[defined] - expected[defined]) / (1 - expected[defined])
    return ErrorConsistency(
        mean=_mean(kappa),
        spread=float(kappa.std(ddof=1)) if len(kappa) > 1 else None,
        observed=_mean(observed[defined]),
        expected=_mean(expected[defined]),
        n_pairs=len(kappa),
        n_undefined=int(undefined.sum()),
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _check(ratings: Ratings) -> None:
    if ratings.ndim != 2:
        raise ScoringError(f"ratings have {ratings.ndim} dimensions; they must be (observers, units)")
    if not ratings.size or ratings.max() < 0:
        raise ScoringError("no ratings; agreement needs at least one")
    if ratings.min() < MISSING:
        raise ScoringError(f"a rating is {ratings.min()}; it must be a whole number from 0, or -1 for none")
