"""The two-way interval, against a naive fit, textbook formulas and its own promises."""

import re
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from survey_site.analysis.answers import AnswerTable, ScoredRow
from survey_site.analysis.cells import CellTable
from survey_site.analysis.intervals import additive_residual_variance, cluster, twoway
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
    of_people, of_items = by_person.var(ddof=1) / 12, by_item.var(ddof=1) / 9
    assert min(of_people, of_items) > residual
    variance = of_people + of_items - residual
    freedom = variance**2 / (residual**2 / 88 + of_people**2 / 11 + of_items**2 / 8)
    t = stats.t.ppf(0.975, freedom)
    interval = twoway(cells(rows))
    assert interval.note == ""
    for end in (interval.low, interval.high):
        scale = end * (1 - end) / (mean * (1 - mean))
        at_end = residual * scale + (variance - residual) * scale**1.5
        assert abs(end - mean) == pytest.approx(t * at_end**0.5, rel=1e-8)


def test_single_answers_have_wilsons_ends() -> None:
    """Where neither participants nor items add anything, the ends are Wilson's for as many answers."""
    checkerboard = [ScoredRow("c", str(p), str(i), (p + i) % 2 == 0) for p in range(4) for i in range(4)]
    interval = twoway(cells(checkerboard))
    residual = 0.25 / 16 * 16 / 9
    variance = residual * (1 - 2 / 3)
    answers = 0.25 / variance
    t = stats.t.ppf(0.975, variance**2 / (residual**2 / 9))
    low, high = proportion_confint(answers / 2, answers, alpha=2 * stats.norm.sf(t), method="wilson")
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-9)


def test_it_stays_inside_the_unit_interval_where_cluster_sums_are_clipped() -> None:
    table = cells(study(4, 3, share=0.9, seed=2))
    assert cluster(table).high == 1
    assert twoway(table).high < 1


def test_too_few_cells_fall_back_to_cluster_sums_and_say_so() -> None:
    rows = [ScoredRow("c", "a", "1", True), ScoredRow("c", "b", "2", False), ScoredRow("c", "b", "1", True)]
    interval, other = twoway(cells(rows)), cluster(cells(rows))
    assert (interval.low, interval.high) == (other.low, other.high)
    assert "too few cells for a residual: cluster sums" in interval.note


def test_without_effects_cluster_sums_undercover_and_the_default_does_not() -> None:
    """400 studies of 10 x 10; the Monte-Carlo error of .95 is .011. The full table: make coverage."""
    rng = np.random.default_rng(4)
    covered = {"twoway": 0, "cluster": 0}
    for _ in range(400):
        hits = (rng.random((10, 10)) < 0.8).astype(np.int64)
        table = CellTable(np.ones_like(hits), hits)
        for name, method in (("twoway", twoway), ("cluster", cluster)):
            interval = method(table)
            covered[name] += interval.low <= 0.8 <= interval.high
    assert covered["twoway"] / 400 >= 0.93
    assert covered["cluster"] < covered["twoway"]


def test_the_score_lies_inside_and_mirrored_answers_have_mirrored_ends() -> None:
    for seed in range(20):
        table = cells(study(8, 6, share=0.8, person_sd=1, item_sd=1, seed=seed))
        mirrored = CellTable(table.answers, table.answers - table.hits)
        interval, other = twoway(table), twoway(mirrored)
        assert 0 <= interval.low <= table.estimate <= interval.high <= 1
        assert (other.low, other.high) == pytest.approx((1 - interval.high, 1 - interval.low), abs=1e-9)


def test_the_docstring_cites_the_coverage_of_the_table() -> None:
    table = (Path(__file__).parents[2] / "docs" / "coverage.md").read_text()
    ends = {
        name: re.search(rf"- `{name}`: .* from 0(\S+) to 0(\S+)\.\n", table) for name in ("twoway", "cluster")
    }
    assert ends["twoway"]
    assert ends["cluster"]
    assert twoway.__doc__
    assert "Covers {}-{} of".format(*ends["twoway"].groups()) in twoway.__doc__
    assert f"goes down to {ends['cluster'][1]}:" in twoway.__doc__
