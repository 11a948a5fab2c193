"""Is one condition more human-aligned than another? Tests within participants. Pure numpy and scipy.

>>> table = AnswerTable.from_columns(
...     condition=list("aabb") * 6, participant=[p for p in "uvwxyz" for _ in range(4)],
...     item=list("1234") * 6, is_correct=[True, True, False, True] * 6,
... )
>>> [difference] = compare_conditions(table)
>>> difference.first, difference.second, difference.estimate, difference.p_value
('a', 'b', 0.5, 0.03125)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import scipy
from numpy.typing import NDArray

from survey_site.analysis.answers import AnswerTable, ScoringError

FloatArray = NDArray[np.float64]

#: Up to here all 2^P assignments of signs are counted; beyond, some are drawn.
EXACT_PARTICIPANTS = 16
SIGNS_AT_ONCE = 4_000_000


@dataclass(frozen=True, kw_only=True)
class PermutationTest:
    """A two-sided sign-flip test of participants' differences.

    estimate: mean difference. p_value: in (0, 1]. exact: all assignments were counted, otherwise `draws` of
    them were drawn with `rng_seed`, and ``p = (b + 1) / (draws + 1)`` (Phipson & Smyth 2010).
    """

    estimate: float
    p_value: float
    exact: bool
    draws: int
    rng_seed: int


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """Two one-sided t tests (Schuirmann 1987): p_value is the larger of the two.

    margin: what counts as no difference, as a share in (0, 1). interval: the ``1 - 2 alpha`` interval of the
    mean difference; the conditions are equivalent at alpha if it lies within the margins.
    """

    estimate: float
    margin: float
    p_value: float
    interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two conditions compared within the participants who answered both.

    estimate: mean over participants of (their share right in `first`) - (in `second`). interval: Student's t
    of that mean, None with one participant. p_value: permutation test; p_holm: adjusted over the grid.
    equivalence: None unless a margin was asked for, or with fewer than two participants.
    """

    first: str
    second: str
    n_participants: int
    estimate: float
    interval: tuple[float, float] | None
    p_value: float
    p_holm: float
    test: PermutationTest
    equivalence: Equivalence | None


def permutation_test(
    differences: FloatArray, *, draws: int = 10_000, rng_seed: int = 2023
) -> PermutationTest:
    """Test that participants' differences are symmetric about 0, by flipping their signs.

    Under the hypothesis that the two conditions do not differ, a participant's two scores could as well be
    exchanged, which flips the sign of the difference (Fisher 1935; Good 2005, ch. 3). With up to 16
    participants every assignment is counted, otherwise `draws` random ones. It generalises over participants;
    over items as well generalises the mixed model. Raises ScoringError without differences.
    """
    if not len(differences):
        raise ScoringError("no participant answered both conditions; there is nothing to compare")
    # The order of participants must not decide which draw meets whom.
    values = np.sort(differences)
    exact = len(values) <= EXACT_PARTICIPANTS
    sums = _all_sums(values) if exact else _drawn_sums(values, draws, rng_seed)
    observed = abs(float(values.sum()))
    # Sums of the same numbers in another order differ in their last bits.
    extreme = int((np.abs(sums) >= observed - 1e-9 * max(1.0, float(np.abs(values).sum()))).sum())
    return PermutationTest(
        estimate=float(values.mean()),
        p_value=extreme / len(sums) if exact else (extreme + 1) / (draws + 1),
        exact=exact,
        draws=len(sums),
        rng_seed=rng_seed,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Holm 1979), in the order given: reject at alpha what is <= alpha.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    wrong = p[~((p >= 0) & (p <= 1))]
    if len(wrong):
        raise ScoringError(f"a p value is {wrong[0]}; it must lie between 0 and 1")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return [float(value) for value in adjusted]


def equivalence_test(differences: FloatArray, *, margin: float, alpha: float = 0.05) -> Equivalence:
    """Are the conditions the same to within `margin`? Two one-sided t tests on participants' differences.

    Raises ScoringError for a margin outside (0, 1), an alpha outside (0, .5), fewer than two participants.
    """
    if not 0 < margin < 1:
        raise ScoringError(f"margin is {margin!r}; it must lie between 0 and 1, as a share")
    if not 0 < alpha < 0.5:
        raise ScoringError(f"alpha is {alpha!r}; it must lie between 0 and .5")
    n = len(differences)
    if n < 2:
        raise ScoringError(f"{n} participants answered both conditions; an equivalence test needs 2 or more")
    values = np.sort(differences)  # their order must not matter, not even to the last bit
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / n**0.5
    half = error * float(scipy.stats.t.ppf(1 - alpha, n - 1))
    return Equivalence(
        estimate=mean,
        margin=margin,
        p_value=_larger_one_sided_p(mean, error, margin, n - 1),
        interval=(mean - half, mean + half),
    )


def participant_differences(table: AnswerTable, first: str, second: str) -> FloatArray:
    """For each participant who answered both conditions, share right in `first` minus share in `second`."""
    shares = _shares(table)
    places = [_place(table, name) for name in (first, second)]
    both = shares[places[0]] - shares[places[1]]
    return both[~np.isnan(both)]


def compare_conditions(
    table: AnswerTable,
    pairs: Sequence[tuple[str, str]] | None = None,
    *,
    margin: float | None = None,
    confidence: float = 0.95,
    draws: int = 10_000,
    rng_seed: int = 2023,
) -> list[Difference]:
    """Compare `pairs` of conditions (by default all of equal chance); Holm adjusts over those compared.

    Pairs that nobody answered both of are left out. Raises ScoringError for a condition without answers, and
    for a pair whose trials had different numbers of options: guessing alone would tell them apart.
    """
    pairs = comparable_pairs(table, table.seen_conditions()) if pairs is None else pairs
    shares = _shares(table)
    found = []
    for first, second in pairs:
        _refuse_unequal_chance(table, first, second)
        both = shares[_place(table, first)] - shares[_place(table, second)]
        both = both[~np.isnan(both)]
        if len(both):
            test = permutation_test(both, draws=draws, rng_seed=rng_seed)
            found.append(_difference(first, second, both, test, margin, confidence))
    adjusted = holm([difference.p_value for difference in found])
    return [replace(difference, p_holm=p) for difference, p in zip(found, adjusted, strict=True)]


def comparable_pairs(table: AnswerTable, conditions: Sequence[str]) -> list[tuple[str, str]]:
    """All pairs of these conditions whose trials had the same numbers of options, in the order of names."""
    options = {name: table.options_of(name) for name in sorted(conditions)}
    return [
        (first, second) for first, second in combinations(options, 2) if options[first] == options[second]
    ]


def _refuse_unequal_chance(table: AnswerTable, first: str, second: str) -> None:
    options = [table.options_of(table.conditions[_place(table, name)]) for name in (first, second)]
    if options[0] != options[1]:
        said = [" and ".join(map(str, sorted(one))) for one in options]
        raise ScoringError(
            f"{first} has trials of {said[0]} options and {second} of {said[1]}; "
            "only conditions of the same chance level can be compared"
        )


def _difference(
    first: str,
    second: str,
    both: FloatArray,
    test: PermutationTest,
    margin: float | None,
    confidence: float,
) -> Difference:
    several = len(both) > 1
    return Difference(
        first=first,
        second=second,
        n_participants=len(both),
        estimate=test.estimate,
        interval=_t_interval(both, confidence) if several else None,
        p_value=test.p_value,
        p_holm=test.p_value,
        test=test,
        equivalence=equivalence_test(both, margin=margin) if margin is not None and several else None,
    )


def _shares(table: AnswerTable) -> FloatArray:
    """Share right, (conditions, participants); NaN where a participant did not answer the condition."""
    shape = (len(table.conditions), len(table.participants))
    cell = table.condition * shape[1] + table.participant
    n = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    hits = np.bincount(cell[table.is_correct], minlength=shape[0] * shape[1]).reshape(shape)
    return np.divide(hits, n, out=np.full(shape, np.nan), where=n > 0)


def _place(table: AnswerTable, condition: str) -> int:
    seen = table.seen_conditions()
    if condition not in seen:
        known = ", ".join(seen) or "none"
        raise ScoringError(f"condition {condition!r} has no answers; conditions with answers: {known}")
    return table.conditions.index(condition)


def _t_interval(differences: FloatArray, confidence: float) -> tuple[float, float]:
    values, n = np.sort(differences), len(differences)
    half = scipy.stats.t.ppf((1 + confidence) / 2, n - 1) * values.std(ddof=1) / n**0.5
    return float(values.mean() - half), float(values.mean() + half)


def _larger_one_sided_p(mean: float, error: float, margin: float, freedom: int) -> float:
    if error == 0:  # nobody differs from the rest: certain either way
        return 0.0 if abs(mean) < margin else 1.0
    above = float(scipy.stats.t.sf((mean + margin) / error, freedom))
    below = float(scipy.stats.t.cdf((mean - margin) / error, freedom))
    return max(above, below)


def _all_sums(values: FloatArray) -> FloatArray:
    """Sums under all 2^P assignments of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def _drawn_sums(values: FloatArray, draws: int, rng_seed: int) -> FloatArray:
    rng = np.random.default_rng(rng_seed)
    sums = np.empty(draws)
    step = max(1, SIGNS_AT_ONCE // len(values))
    for start in range(0, draws, step):
        size = min(step, draws - start)
        flipped = rng.integers(0, 2, (size, len(values)), dtype=np.int8).astype(float)
        sums[start : start + size] = values.sum() - 2 * (flipped @ values)
    return sums
