"""Correlations with their intervals, against scipy and a naive loop."""

import doctest
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from survey_site.analysis import correlation
from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.correlation import over_people_and_items, pearson, spearman
from survey_site.analysis.score_settings import ScoreSettings

SETTINGS = ScoreSettings(replicates=2000)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(correlation).failed == 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pearson_equals_scipy(seed: int) -> None:
    x, y = np.random.default_rng(seed).random((2, 9))
    expected = stats.pearsonr(x, y)
    low, high = expected.confidence_interval(0.9)
    found = pearson(x.tolist(), y.tolist(), 0.9)
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (expected.statistic, low, high), abs=1e-12
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_spearman_equals_scipy_also_with_ties(seed: int) -> None:
    x, y = np.random.default_rng(seed).integers(0, 4, (2, 12)).astype(float)
    assert spearman(x.tolist(), y.tolist()).estimate == pytest.approx(
        stats.spearmanr(x, y).statistic, abs=1e-12
    )


def test_the_interval_of_bonett_and_wright_covers_where_fishers_would_not() -> None:
    """Their point: for ranks of strongly related normal pairs, Fisher's own error is too small."""
    rng, covered, n = np.random.default_rng(3), [], 25
    truth = 6 / np.pi * np.arcsin(0.8 / 2)
    for _ in range(600):
        x, y = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], n).T
        found = spearman(x.tolist(), y.tolist())
        assert found.low is not None
        assert found.high is not None
        covered.append(found.low <= truth <= found.high)
    assert 0.925 <= np.mean(covered) <= 0.985


def test_three_conditions_have_a_correlation_and_no_interval() -> None:
    found = pearson([0, 1, 2], [0, 1, 3])
    assert (found.low, found.high, found.n) == (None, None, 3)


def test_a_perfect_correlation_has_a_defined_interval() -> None:
    found = pearson([0, 1, 2, 3], [3, 2, 1, 0])
    assert (found.estimate, found.low, found.high) == (-1, -1, -1)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([0.1, 0.2], [0.1, 0.2], "2 conditions; a correlation needs 3 or more"),
        ([0.5, 0.5, 0.5], [0.1, 0.2, 0.3], "all conditions score 0.500; what does not vary"),
        ([0.1, 0.2, 0.3], [0.1, 0.2], "3 and 2 values; a correlation is of pairs"),
        ([0.1, 0.2, float("nan")], [0.1, 0.2, 0.3], "a value is nan; allowed: finite numbers"),
    ],
)
def test_what_has_no_correlation_is_refused(x: list[float], y: list[float], message: str) -> None:
    for statistic in (pearson, spearman):
        with pytest.raises(ScoringError, match=message):
            statistic(x, y)


def answers(seed: int = 0, *, people: int = 12, items: int = 5, conditions: int = 4) -> AnswerTable:
    rng = np.random.default_rng(seed)
    participant, item = np.indices((people, items * conditions)).reshape(2, -1)
    condition = item % conditions
    return AnswerTable.from_columns(
        condition=[f"c{code}" for code in condition],
        participant=[f"p{code}" for code in participant],
        item=[f"i{code:02d}" for code in item],
        is_correct=rng.random(len(item)) < 0.2 + 0.2 * condition,
    )


def credits(table: AnswerTable) -> dict[str, float]:
    rng = np.random.default_rng(9)
    return {name: float(rng.random() < 0.2 + 0.2 * (int(name[1:]) % 4)) for name in sorted(table.items)}


def naive(table: AnswerTable, credit: dict[str, float], replicates: int) -> tuple[np.ndarray, np.ndarray]:
    """Participants and items drawn one by one."""
    rng = np.random.default_rng(77)
    names = table.seen_conditions()
    cells = {
        (table.participants[p], table.items[i]): (table.conditions[c], right)
        for p, i, c, right in zip(
            table.participant, table.item, table.condition, table.is_correct, strict=True
        )
    }
    items = {name: sorted({i for (_, i), (c, _) in cells.items() if c == name}) for name in names}
    found = []
    for _ in range(replicates):
        people = rng.choice(table.participants, len(table.participants))
        drawn = {name: rng.choice(items[name], len(items[name])) for name in names}
        shares = [np.mean([cells[p, i][1] for p in people for i in drawn[name]]) for name in names]
        observed = [np.mean([credit[i] for i in drawn[name]]) for name in names]
        if np.ptp(shares) and np.ptp(observed):
            found.append((stats.pearsonr(shares, observed)[0], stats.spearmanr(shares, observed)[0]))
    one, other = np.array(found).T
    return one, other


def test_the_bootstrap_equals_a_naive_loop() -> None:
    table = answers()
    found = over_people_and_items(table, credits(table), settings=SETTINGS)
    one, other = naive(table, credits(table), 1500)
    for interval, values in ((found.pearson, one), (found.spearman, other)):
        low, high = np.quantile(values, [0.025, 0.975])
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.12)
        assert interval.low < np.median(values) < interval.high


def test_order_and_names_do_not_change_a_bit() -> None:
    table = answers()
    shuffled = np.random.default_rng(1).permutation(len(table))
    renamed = replace(
        table.where(shuffled),  # type: ignore[arg-type]
        participants=tuple(f"q{name}" for name in reversed(table.participants)),
    )
    first = over_people_and_items(table, credits(table), settings=SETTINGS)
    assert over_people_and_items(renamed, credits(table), settings=SETTINGS) == first


def test_items_that_the_observer_did_not_judge_are_left_out() -> None:
    table = answers()
    some = {name: credit for name, credit in credits(table).items() if name not in ("i00", "i05")}
    kept = table.where(np.array([table.items[code] in some for code in table.item]))
    assert over_people_and_items(table, some, settings=SETTINGS) == over_people_and_items(
        kept, some, settings=SETTINGS
    )


def test_replicates_without_a_correlation_are_counted() -> None:
    table = answers(conditions=3, items=1)
    found = over_people_and_items(
        table, {"i00": 0.0, "i01": 1.0, "i02": 1.0}, settings=ScoreSettings(replicates=100)
    )
    assert found.pearson.note in ("",) or "replicates have no correlation" in found.pearson.note
    with pytest.raises(
        ScoringError, match="no replicate has a correlation: people or the observer never vary"
    ):
        over_people_and_items(table, dict.fromkeys(table.items, 1.0), settings=SETTINGS)


def test_two_conditions_are_refused() -> None:
    table = answers(conditions=2)
    with pytest.raises(ScoringError, match="2 conditions; a correlation needs 3 or more"):
        over_people_and_items(table, credits(table), settings=SETTINGS)
    with pytest.raises(ScoringError, match="0 conditions; a correlation needs 3 or more"):
        over_people_and_items(table, {}, settings=SETTINGS)
