"""Is one condition more human-aligned than another? Within participants. Pure numpy and scipy.

The interval, p value and equivalence of a difference generalise over participants and items
(`twoway_difference`). The permutation test beside them speaks of other participants and exactly these trials.

>>> table = AnswerTable.from_columns(
...     condition=list("aabb") * 6, participant=[p for p in "uvwxyz" for _ in range(4)],
...     item=list("1234") * 6, is_correct=[True, True, False, True] * 6, n_options=[2] * 24,
... )
>>> [difference] = compare_conditions(table)
>>> difference.first, difference.second, difference.estimate, round(difference.p_value, 3)
('a', 'b', 0.5, 0.5)
>>> difference.over_participants.test.p_value
0.03125
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import scipy
from numpy.typing import NDArray

from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.twoway_difference import paired_cells, twoway_difference

FloatArray = NDArray[np.float64]

#: Up to here all 2^P assignments of signs are counted; beyond, some are drawn.
EXACT_PARTICIPANTS = 16
SIGNS_AT_ONCE = 4_000_000
ALPHA = 0.05
#: Standard errors below are those of rounding.
ROUNDING = 1e-12

#: What each p value speaks of, as reports say it.
SCOPES = {
    "comparisons": "over participants and items: for other participants and other trials of the same kind",
    "comparisons_over_participants": "over participants, for exactly these trials",
    "ranking": "over participants, for exactly these trials",
}


class NoSpread(ScoringError):
    """Differences that leave a t test nothing to go by."""


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
class OverParticipants:
    """What would come out with other participants and exactly these trials: it takes items as fixed.

    Two conditions have trials of their own, and which these are makes a difference too, so with few or
    unlike items these p values are far too small for a statement about the conditions as such. interval:
    Student's t of the mean difference; it and the equivalence are None where the note says why.
    """

    test: PermutationTest
    interval: tuple[float, float] | None
    equivalence: Equivalence | None
    note: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two conditions compared within the participants who answered both, over participants and items.

    estimate: mean over participants of (their share right in `first`) - (in `second`). interval, p_value,
    equivalence: from the two-way error of `twoway_difference`, for other participants and other trials alike;
    p_holm: p_value adjusted over the grid. They are None where the note says why, and the equivalence also
    unless a margin was asked for. over_participants: the same with these trials as fixed.
    """

    first: str
    second: str
    n_participants: int
    estimate: float
    interval: tuple[float, float] | None
    p_value: float | None
    p_holm: float | None
    equivalence: Equivalence | None
    note: str
    over_participants: OverParticipants


def permutation_test(
    differences: FloatArray, *, draws: int = 10_000, rng_seed: int = 2023
) -> PermutationTest:
    """Test that participants' differences are symmetric about 0, by flipping their signs.

    Under the hypothesis that the two conditions do not differ, a participant's two scores could as well be
    exchanged, which flips the sign of the difference (Fisher 1935; Good 2005, ch. 3). With up to 16
    participants every assignment is counted, otherwise `draws` random ones. It generalises over participants,
    for exactly these trials; over items as well generalises `twoway_difference`. Raises ScoringError without
    differences.
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

    For exactly these trials, as `permutation_test`. Raises ScoringError for a margin outside (0, 1), an alpha
    outside (0, .5), fewer than two participants, and where all differences are the same.
    """
    mean, error = _mean_and_error(differences)
    return _equivalence(mean, error, len(differences) - 1, margin, alpha)


def participant_differences(table: AnswerTable, first: str, second: str) -> FloatArray:
    """For each participant who answered both conditions, share right in `first` minus share in `second`."""
    return _differences(_shares(table), *_places(table, [first, second]))


def compare_conditions(
    table: AnswerTable,
    pairs: Sequence[tuple[str, str]] | None = None,
    *,
    margin: float | None = None,
    confidence: float = 0.95,
    draws: int = 10_000,
    rng_seed: int = 2023,
) -> list[Difference]:
    """Compare `pairs` of conditions (by default all of equal chance); Holm adjusts over those with a p value.

    Pairs that nobody answered both of are left out. Raises ScoringError for a condition without answers, and
    for a pair whose trials had different or unknown numbers of options: guessing alone could tell them apart.
    """
    pairs = comparable_pairs(table, table.seen_conditions()) if pairs is None else pairs
    names = sorted({name for pair in pairs for name in pair})
    shares, places = _shares(table), dict(zip(names, _places(table, names), strict=True))
    options = {name: table.options_of(name) for name in names}
    found = []
    for first, second in pairs:
        _refuse_unequal_chance(options, first, second)
        both = _differences(shares, places[first], places[second])
        if len(both):
            these_trials = _over_participants(both, margin, confidence, draws, rng_seed)
            found.append(_difference(table, first, second, these_trials, margin, confidence))
    tested = [place for place, difference in enumerate(found) if difference.p_value is not None]
    adjusted = holm([p for difference in found if (p := difference.p_value) is not None])
    for place, p_holm in zip(tested, adjusted, strict=True):
        found[place] = replace(found[place], p_holm=p_holm)
    return found


def comparable_pairs(table: AnswerTable, conditions: Sequence[str]) -> list[tuple[str, str]]:
    """All pairs of these conditions whose trials had the same known numbers of options, by name."""
    options = {name: table.options_of(name) for name in sorted(conditions)}
    return [
        (first, second)
        for first, second in combinations(options, 2)
        if options[first] == options[second] and 0 not in options[first]
    ]


def _refuse_unequal_chance(options: Mapping[str, frozenset[int]], first: str, second: str) -> None:
    for name in (first, second):
        if 0 in options[name]:
            raise ScoringError(
                f"how many options the trials of {name} had is not known for every answer; only conditions "
                "whose n_options are known and the same can be compared"
            )
    if options[first] != options[second]:
        said = [" and ".join(map(str, sorted(options[name]))) for name in (first, second)]
        raise ScoringError(
            f"{first} has trials of {said[0]} options and {second} of {said[1]}; "
            "only conditions of the same chance level can be compared"
        )


def _difference(
    table: AnswerTable,
    first: str,
    second: str,
    these_trials: OverParticipants,
    margin: float | None,
    confidence: float,
) -> Difference:
    cells = paired_cells(table, first, second)
    twoway, why = None, ""
    try:
        twoway = twoway_difference(cells)
    except ScoringError as error:
        why = str(error)
    return Difference(
        first=first,
        second=second,
        n_participants=len(cells.first.answers),
        estimate=these_trials.test.estimate,
        interval=twoway.interval(confidence) if twoway else None,
        p_value=twoway.p_value if twoway else None,
        p_holm=None,
        equivalence=_equivalence(twoway.estimate, twoway.error, twoway.freedom, margin, ALPHA)
        if twoway and margin is not None
        else None,
        note=twoway.note if twoway else why,
        over_participants=these_trials,
    )


def _over_participants(
    both: FloatArray, margin: float | None, confidence: float, draws: int, rng_seed: int
) -> OverParticipants:
    test = permutation_test(both, draws=draws, rng_seed=rng_seed)
    smallest, notes = 2 / 2 ** len(both), []
    if smallest > ALPHA:
        notes.append(f"with {len(both)} participants no permutation p is below {min(1, smallest):g}")
    interval = equivalence = None
    try:
        mean, error = _mean_and_error(both)
        half = error * float(scipy.stats.t.ppf((1 + confidence) / 2, len(both) - 1))
        interval = (mean - half, mean + half)
        equivalence = None if margin is None else _equivalence(mean, error, len(both) - 1, margin, ALPHA)
    except NoSpread as why:
        notes.append(str(why))
    return OverParticipants(test=test, interval=interval, equivalence=equivalence, note="; ".join(notes))


def _shares(table: AnswerTable) -> FloatArray:
    """Share right, (conditions, participants); NaN where a participant did not answer the condition."""
    shape = (len(table.conditions), len(table.participants))
    cell = table.condition * shape[1] + table.participant
    n = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    hits = np.bincount(cell[table.is_correct], minlength=shape[0] * shape[1]).reshape(shape)
    return np.divide(hits, n, out=np.full(shape, np.nan), where=n > 0)


def _places(table: AnswerTable, conditions: Sequence[str]) -> list[int]:
    seen = table.seen_conditions()
    for condition in conditions:
        if condition not in seen:
            known = ", ".join(seen) or "none"
            raise ScoringError(f"condition {condition!r} has no answers; conditions with answers: {known}")
    return [table.conditions.index(condition) for condition in conditions]


def _differences(shares: FloatArray, first: int, second: int) -> FloatArray:
    """Of the participants who answered both."""
    both = shares[first] - shares[second]
    return np.asarray(both[~np.isnan(both)])


def _mean_and_error(differences: FloatArray) -> tuple[float, float]:
    n = len(differences)
    if n < 2:
        raise NoSpread(f"{n} participants answered both conditions; a t test needs 2 or more")
    values = np.sort(differences)  # their order must not matter, not even to the last bit
    error = float(values.std(ddof=1)) / n**0.5
    if error <= ROUNDING:
        raise NoSpread(f"all {n} participants differ alike; without spread a t test says nothing of others")
    return float(values.mean()), error


def _equivalence(mean: float, error: float, freedom: float, margin: float, alpha: float) -> Equivalence:
    if not 0 < margin < 1:
        raise ScoringError(f"margin is {margin!r}; it must lie between 0 and 1, as a share")
    if not 0 < alpha < 0.5:
        raise ScoringError(f"alpha is {alpha!r}; it must lie between 0 and .5")
    half = error * float(scipy.stats.t.ppf(1 - alpha, freedom))
    above = float(scipy.stats.t.sf((mean + margin) / error, freedom))
    below = float(scipy.stats.t.cdf((mean - margin) / error, freedom))
    return Equivalence(
        estimate=mean, margin=margin, p_value=max(above, below), interval=(mean - half, mean + half)
    )


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
