"""The two-way error of a difference: by hand, its error rate where items differ, and what it refuses."""

import numpy as np
import pytest
from scipy import stats

from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.comparisons import compare_conditions, permutation_test
from survey_site.analysis.sample_size import logit_of_mean
from survey_site.analysis.twoway_difference import (
    NO_RESIDUAL,
    paired_cells,
    twoway_difference,
)

LOGIT = logit_of_mean(0.65, float(np.hypot(0.7, 0.7)))


def table(first: np.ndarray, second: np.ndarray, *, own_items: bool = True) -> AnswerTable:
    """From two (participants, items) of 1 and 0, NaN where not asked."""
    rows = [
        (name, f"p{p}", f"{name if own_items else ''}{i}", bool(right[p, i]))
        for name, right in (("a", first), ("b", second))
        for p, i in np.argwhere(~np.isnan(right))
    ]
    condition, participant, item, is_correct = zip(*rows, strict=True)
    return AnswerTable.from_columns(
        condition=condition,
        participant=participant,
        item=item,
        is_correct=is_correct,
        n_options=np.full(len(rows), 2),
    )


def null_study(rng: np.random.Generator, participants: int, items: int) -> list[np.ndarray]:
    """Two conditions of the same expected score, each with items of its own; both effects' SD is .7."""
    people = 0.7 * rng.normal(size=(participants, 1))
    return [
        (rng.random((participants, items)) < 1 / (1 + np.exp(-(LOGIT + people + own_items)))).astype(float)
        for own_items in 0.7 * rng.normal(size=(2, 1, items))
    ]


@pytest.mark.parametrize(("participants", "items"), [(14, 10), (40, 10)])
def test_one_pair_in_twenty_is_told_apart_where_only_the_trials_differ(participants: int, items: int) -> None:
    """400 pairs: Monte-Carlo error .011. Over participants alone .15 and .33 are."""
    rng = np.random.default_rng(3)
    both_ways, these_trials = [], []
    for _ in range(400):
        first, second = null_study(rng, participants, items)
        both_ways.append(twoway_difference(paired_cells(table(first, second), "a", "b")).p_value)
        these_trials.append(permutation_test(first.mean(axis=1) - second.mean(axis=1), draws=200).p_value)
    assert 0.02 <= np.mean(np.array(both_ways) <= 0.05) <= 0.08
    assert np.mean(np.array(these_trials) <= 0.05) > 0.1


def test_it_still_finds_what_is_there() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.random((30, 20)) < 0.8, rng.random((30, 20)) < 0.6
    found = twoway_difference(paired_cells(table(first.astype(float), second.astype(float)), "a", "b"))
    assert found.p_value < 0.001
    assert found.interval()[0] < 0.2 < found.interval()[1]


def test_by_hand() -> None:
    """A complete study whose parts all lie above their residuals."""
    rng = np.random.default_rng(8)
    (first, _), (second, _) = null_study(rng, 14, 10), null_study(rng, 14, 10)
    residuals, over_items = [], []
    for right in (first, second):
        rest = right - right.mean(axis=1, keepdims=True) - right.mean(axis=0) + right.mean()
        residuals.append(np.square(rest).sum() / (13 * 9) / right.size)
        over_items.append(right.mean(axis=0).var(ddof=1) / 10)
    differences = first.mean(axis=1) - second.mean(axis=1)
    people = differences.var(ddof=1) / 14
    assert people > sum(residuals)
    assert all(item > rest for item, rest in zip(over_items, residuals, strict=True))
    variance = people + sum(over_items) - sum(residuals)
    spread = people**2 / 13 + sum(v**2 for v in over_items) / 9 + sum(r**2 for r in residuals) / (13 * 9)
    found = twoway_difference(paired_cells(table(first, second), "a", "b"))
    assert found.estimate == pytest.approx(differences.mean())
    assert found.error == pytest.approx(variance**0.5)
    assert found.freedom == pytest.approx(variance**2 / spread)
    t = differences.mean() / variance**0.5
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(t), found.freedom))


def test_items_of_both_conditions_are_paired() -> None:
    """The same hard and easy items in both: what they share does not tell the conditions apart."""
    rng = np.random.default_rng(5)
    item = rng.uniform(0.1, 0.9, 12)
    first, second = ((rng.random((20, 12)) < item).astype(float) for _ in range(2))
    own, shared = (
        twoway_difference(paired_cells(table(first, second, own_items=apart), "a", "b"))
        for apart in (True, False)
    )
    assert shared.error < own.error / 2
    assert shared.estimate == own.estimate


def test_only_who_answered_both_counts() -> None:
    first, second = null_study(np.random.default_rng(1), 6, 5)
    second[4:] = np.nan
    cells = paired_cells(table(first, second), "a", "b")
    assert (len(cells.first.answers), len(cells.second.answers)) == (4, 4)
    assert twoway_difference(cells) == twoway_difference(paired_cells(table(first[:4], second[:4]), "a", "b"))


def test_lists_that_share_nobody_have_levels_of_their_own() -> None:
    """Twelve lists of two people and two items: a degree of freedom each."""
    first, second = null_study(np.random.default_rng(2), 24, 24)
    for right in (first, second):
        right[(np.arange(24)[:, None] // 2) != (np.arange(24) // 2)] = np.nan
    assert twoway_difference(paired_cells(table(first, second), "a", "b")).freedom > 5


def test_one_answer_each_leaves_no_residual_and_says_so() -> None:
    right = np.full((6, 6), np.nan)
    np.fill_diagonal(right, [1, 0, 1, 1, 0, 1])
    assert twoway_difference(paired_cells(table(right, 1 - right), "a", "b")).note == NO_RESIDUAL


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 4), "one participant answered both"), ((4, 1), "one item"), ((4, 4), "no spread")],
)
def test_what_says_nothing_of_others_is_undefined(shape: tuple[int, int], message: str) -> None:
    same = np.ones(shape)
    with pytest.raises(ScoringError, match=message):
        twoway_difference(paired_cells(table(same, 1 - same), "a", "b"))
    [difference] = compare_conditions(table(same, 1 - same), margin=0.1)
    assert message in difference.note
    assert (difference.p_value, difference.p_holm) == (None, None)
    assert (difference.interval, difference.equivalence) == (None, None)


def test_who_answered_none_of_the_two_is_named() -> None:
    with pytest.raises(ScoringError, match="condition 'c' has no answers; conditions with answers: a, b"):
        paired_cells(table(np.ones((2, 2)), np.ones((2, 2))), "a", "c")
