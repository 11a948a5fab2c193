"""Permutation, Holm and equivalence against scipy and statsmodels; the test's error rate by simulation."""

import doctest

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from survey_site.analysis import comparisons
from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.comparisons import (
    compare_conditions,
    equivalence_test,
    holm,
    participant_differences,
    permutation_test,
)
from survey_site.analysis.twoway_difference import paired_cells, twoway_difference
from tests.analysis.test_scoring import study


def differences(n: int, *, mean: float = 0.1, seed: int = 0) -> np.ndarray:
    """Differences of shares of eight answers each, so that ties occur."""
    return np.round(np.random.default_rng(seed).normal(mean, 0.3, n) * 8) / 8


def scipys_p(values: np.ndarray) -> float:
    def mean(x: np.ndarray, axis: int) -> np.ndarray:
        return np.mean(x, axis=axis)

    result = stats.permutation_test((values,), mean, permutation_type="samples", n_resamples=np.inf)
    return float(result.pvalue)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(comparisons).failed == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_exact_test_equals_scipys(seed: int) -> None:
    values = differences(9, seed=seed)
    result = permutation_test(values)
    assert (result.exact, result.draws) == (True, 2**9)
    assert result.p_value == pytest.approx(scipys_p(values), abs=1e-9)


def test_drawn_assignments_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    values = differences(14, mean=0.15)
    exact = permutation_test(values).p_value
    monkeypatch.setattr(comparisons, "EXACT_PARTICIPANTS", 1)
    drawn = permutation_test(values, draws=40_000)
    assert not drawn.exact
    assert drawn.p_value == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 40_000) ** 0.5)


def test_the_order_of_participants_does_not_change_a_bit() -> None:
    values = differences(40)
    shuffled = np.random.default_rng(1).permutation(values)
    assert permutation_test(shuffled, draws=500) == permutation_test(values, draws=500)
    assert permutation_test(values, draws=500, rng_seed=1) != permutation_test(values, draws=500)


def test_without_a_difference_one_test_in_twenty_rejects() -> None:
    """1,000 comparisons of 12 participants: Monte-Carlo error .007."""
    rng = np.random.default_rng(0)
    shares = rng.binomial(300, 0.7, (1000, 2, 12)) / 300
    p = [permutation_test(first - second).p_value for first, second in shares]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.021)


@pytest.mark.parametrize("seed", range(5))
def test_holm_equals_statsmodels(seed: int) -> None:
    p = np.random.default_rng(seed).beta(0.3, 1, 12)
    p[3] = p[7]
    assert holm(list(p)) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_equivalence_equals_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.binomial(20, 0.7, (2, 25)) / 20
    p, _, _ = ttost_paired(first, second, -0.1, 0.1)
    result = equivalence_test(first - second, margin=0.1)
    assert result.p_value == pytest.approx(p, abs=1e-9)
    inside = result.interval[0] > -0.1 and result.interval[1] < 0.1
    assert inside == (result.p_value < 0.05)


@pytest.mark.parametrize("values", [[0.0] * 5, [0.3] * 5, [0.1] * 2, [0.1 + 0.2, 0.3]])
def test_without_spread_there_is_no_equivalence(values: list[float]) -> None:
    with pytest.raises(ScoringError, match="participants differ alike"):
        equivalence_test(np.array(values), margin=0.1)


def test_only_who_answered_both_conditions_counts() -> None:
    rows = study(6, 4, condition="a") + study(4, 4, condition="b", seed=1)
    values = participant_differences(AnswerTable.from_rows(rows), "a", "b")
    share = {
        (c, p): np.mean([row.is_correct for row in rows if (row.condition, row.participant) == (c, p)])
        for c in "ab"
        for p in ("p0", "p1", "p2", "p3")
    }
    assert sorted(values) == pytest.approx(
        sorted(share["a", p] - share["b", p] for p in ("p0", "p1", "p2", "p3"))
    )


def test_a_grid_is_adjusted_over_the_pairs_compared() -> None:
    rows = [
        row for k, c in enumerate("abc") for row in study(10, 8, condition=c, share=0.9 - 0.2 * k, seed=k)
    ]
    table = AnswerTable.from_rows(rows)
    grid = compare_conditions(table, margin=0.2)
    assert [(d.first, d.second) for d in grid] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [d.p_holm for d in grid] == holm([d.p_value for d in grid if d.p_value is not None])
    for d in grid:
        values = participant_differences(table, d.first, d.second)
        expected = stats.ttest_1samp(values, 0).confidence_interval()
        assert d.over_participants.interval == pytest.approx(tuple(expected), abs=1e-9)
        assert d.over_participants.equivalence == equivalence_test(values, margin=0.2)
        twoway = twoway_difference(paired_cells(table, d.first, d.second))
        assert (d.interval, d.p_value) == (twoway.interval(), twoway.p_value)
        assert d.equivalence is not None
        assert d.equivalence.interval == twoway.interval(0.9)
    [alone] = compare_conditions(table, [("c", "a")])
    assert alone.estimate == -grid[1].estimate
    assert alone.p_holm == alone.p_value
    assert alone.equivalence is None


def test_one_participant_has_a_difference_and_no_interval() -> None:
    rows = study(1, 6, condition="a", share=0.99) + study(1, 6, condition="b", share=0.01)
    [difference] = compare_conditions(AnswerTable.from_rows(rows), margin=0.1)
    assert difference.estimate > 0.5
    assert difference.over_participants.test.p_value == 1
    assert (difference.p_value, difference.interval, difference.equivalence) == (None, None, None)
    assert "one participant answered both" in difference.note


def test_pairs_without_a_p_value_do_not_count_for_holm() -> None:
    rows = [row for k, c in enumerate("ab") for row in study(8, 8, condition=c, seed=k)]
    rows += [row for c in "yz" for row in study(8, 8, condition=c, share=1 - 1e-12)]
    grid = {d.first + d.second: d for d in compare_conditions(AnswerTable.from_rows(rows), margin=0.1)}
    assert (grid["yz"].p_value, grid["yz"].p_holm, grid["yz"].equivalence) == (None, None, None)
    p = [d.p_value for d in grid.values() if d.p_value is not None]
    assert [d.p_holm for d in grid.values() if d.p_value is not None] == holm(p)
    assert len(p) == 5


@pytest.mark.parametrize(
    ("n", "said"), [(5, "with 5 participants no permutation p is below 0.0625"), (6, "")]
)
def test_too_few_participants_for_a_small_permutation_p(n: int, said: str) -> None:
    rows = study(n, 8, condition="a") + study(n, 8, condition="b", seed=1)
    [difference] = compare_conditions(AnswerTable.from_rows(rows))
    assert difference.over_participants.note == said


def test_conditions_that_nobody_shares_are_left_out_and_unknown_ones_refused() -> None:
    rows = study(2, 3, condition="a")
    rows += [row._replace(participant=f"q{row.participant}") for row in study(2, 3, condition="b")]
    table = AnswerTable.from_rows(rows)
    assert compare_conditions(table) == []
    with pytest.raises(ScoringError, match="condition 'x' has no answers; conditions with answers: a, b"):
        compare_conditions(table, [("a", "x")])


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ScoringError, match="no participant answered both"):
        permutation_test(np.zeros(0))
    with pytest.raises(ScoringError, match="margin is 10; it must lie between 0 and 1"):
        equivalence_test(np.arange(4.0), margin=10)
    with pytest.raises(ScoringError, match=r"alpha is 0\.7"):
        equivalence_test(np.arange(4.0), margin=0.1, alpha=0.7)
    with pytest.raises(ScoringError, match="1 participants answered both"):
        equivalence_test(np.zeros(1), margin=0.1)
    with pytest.raises(ScoringError, match=r"a p value is 1\.5"):
        holm([0.1, 1.5])
