"""The interval from variance components, against a naive fit and its own promises."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from survey_site.analysis.answers import AnswerTable, ScoredRow
from survey_site.analysis.cells import CellTable
from survey_site.analysis.intervals import additive_residual_variance, components, twoway
from tests.analysis.test_scoring import study


def cells(rows: list[ScoredRow]) -> CellTable:
    return AnswerTable.from_rows(rows).cells("c")


def incomplete(seed: int, *, rows_per_trial: int = 1) -> list[ScoredRow]:
    rows = study(14, 9, person_sd=1, item_sd=1, seed=seed, rows_per_trial=rows_per_trial)
    kept = np.random.default_rng(seed).permutation(len(rows))[: len(rows) * 2 // 3]
    return [rows[place] for place in sorted(kept)]


@pytest.mark.parametrize("rows_per_trial", [1, 3])
def test_the_residual_equals_statsmodels_weighted_fit(rows_per_trial: int) -> None:
    table = cells(incomplete(1, rows_per_trial=rows_per_trial))
    people, items = np.nonzero(table.answers)
    n, hits = table.answers[people, items], table.hits[people, items]
    of_items = np.eye(table.answers.shape[1])[items, 1:]
    design = np.hstack([np.eye(table.answers.shape[0])[people], of_items])
    fit = sm.WLS(hits / n, design, weights=n).fit()
    expected = np.square(n * fit.resid).sum() / n.sum() ** 2
    assert additive_residual_variance(table) == pytest.approx(expected, rel=1e-9)


def test_a_complete_table_equals_textbook_analysis_of_variance() -> None:
    rows = study(12, 9, person_sd=1, item_sd=2, seed=3)
    y = np.array([row.is_correct for row in rows], dtype=float).reshape(12, 9)
    mean, by_person, by_item = y.mean(), y.mean(axis=1), y.mean(axis=0)
    residual = np.square(y - by_person[:, None] - by_item + mean).sum() / (11 * 8) / y.size
    clustered_by_person, clustered_by_item = by_person.var(ddof=1) / 12, by_item.var(ddof=1) / 9
    of_people, of_items = clustered_by_person - residual, clustered_by_item - residual
    assert min(of_people, of_items) > 0
    variance = residual + of_people + of_items
    spread = residual**2 / 88 + of_people * clustered_by_person / 11 + of_items * clustered_by_item / 8
    freedom = variance**2 / spread
    answers = mean * (1 - mean) / variance
    # Wilson's interval of that many answers, with z replaced by t
    t = stats.t.ppf(0.975, freedom)
    low, high = proportion_confint(mean * answers, answers, alpha=2 * stats.norm.sf(t), method="wilson")
    interval = components(cells(rows))
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-9)


def test_it_stays_inside_the_unit_interval_where_twoway_is_clipped() -> None:
    table = cells(study(4, 3, share=0.9, seed=2))
    assert twoway(table).high == 1
    assert components(table).high < 1


def test_too_few_cells_fall_back_to_twoway_and_say_so() -> None:
    rows = [ScoredRow("c", "a", "1", True), ScoredRow("c", "b", "2", False), ScoredRow("c", "b", "1", True)]
    interval = components(cells(rows))
    assert (interval.low, interval.high) == (twoway(cells(rows)).low, twoway(cells(rows)).high)
    assert "too few cells for components" in interval.note


def test_without_effects_twoway_undercovers_and_components_do_not() -> None:
    """400 studies of 10 x 10; the Monte-Carlo error of .95 is .011. The full table: make coverage."""
    rng = np.random.default_rng(4)
    covered = {"twoway": 0, "components": 0}
    for _ in range(400):
        hits = (rng.random((10, 10)) < 0.8).astype(np.int64)
        table = CellTable(np.ones_like(hits), hits)
        for name, method in (("twoway", twoway), ("components", components)):
            interval = method(table)
            covered[name] += interval.low <= 0.8 <= interval.high
    assert covered["components"] / 400 >= 0.94
    assert covered["twoway"] < covered["components"]
