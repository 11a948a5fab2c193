"""The exact bootstrap over participants, against every possible draw, scipy and drawn replicates."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from survey_site.analysis import bootstrap
from survey_site.analysis.bootstrap import exact_over_participants, over_participants
from survey_site.analysis.cells import CellTable, Clusters
from survey_site.analysis.score_settings import ScoreSettings


def clusters(hits: list[int], n: int) -> Clusters:
    return Clusters(np.full(len(hits), n), np.array(hits))


def every_draw(hits: list[int], n: int, confidence: float) -> tuple[float, float]:
    """Percentiles over all P^P ways to draw P participants."""
    sums = np.sort([sum(drawn) for drawn in product(hits, repeat=len(hits))])
    chances = np.arange(1, len(sums) + 1) / len(sums)
    low, high = (
        sums[np.searchsorted(chances, share - 1e-12)] / (n * len(hits))
        for share in ((1 - confidence) / 2, (1 + confidence) / 2)
    )
    return low, high


@pytest.mark.parametrize(
    "hits", [[0, 4], [1, 1, 3], [0, 0, 0, 0, 9], [9, 9, 9, 9, 0], [2, 3, 5, 5, 7, 9], [0, 1, 2, 3, 4, 5, 6]]
)
@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_it_equals_every_possible_draw(hits: list[int], confidence: float) -> None:
    interval = exact_over_participants(clusters(hits, 9), confidence)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(every_draw(hits, 9, confidence), abs=1e-12)


@pytest.mark.parametrize(("people", "n"), [(12, 9), (60, 25), (400, 40)])
def test_it_is_what_scipys_replicates_scatter_around(people: int, n: int) -> None:
    rng = np.random.default_rng(people)
    hits = rng.binomial(n, rng.beta(4, 2, people))
    theirs = stats.bootstrap(
        (hits / n,), np.mean, n_resamples=20_000, method="percentile", batch=2000, rng=1
    ).confidence_interval
    interval = exact_over_participants(clusters(hits.tolist(), n), 0.95)
    assert interval is not None
    spread = (interval.high - interval.low) / (2 * 1.96)
    error = spread * (0.025 * 0.975 / 20_000) ** 0.5 / float(stats.norm.pdf(1.96))
    grain = 1 / (people * n)
    assert abs(interval.low - theirs.low) < 4 * error + grain
    assert abs(interval.high - theirs.high) < 4 * error + grain


def test_a_few_far_outliers_among_many_are_not_wrapped_around() -> None:
    hits = [0] * 997 + [500] * 3
    interval = exact_over_participants(clusters(hits, 500), 0.99)
    low, high = stats.binom.ppf([0.005, 0.995], 1000, 0.003) / 1000
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_equal_participants_do_not_vary_and_one_has_nothing_to_draw() -> None:
    alike = exact_over_participants(clusters([3, 3, 3], 4), 0.95)
    alone = exact_over_participants(clusters([3], 4), 0.95)
    assert alike is not None
    assert alone is not None
    assert (alike.low, alike.high, alike.note) == (0.75, 0.75, bootstrap.NO_WIDTH)
    assert (alone.low, alone.high) == (0.75, 0.75)
    assert alone.note == "one participant: nothing to resample"


@pytest.mark.parametrize("missing", [0, 3])
def test_an_interval_without_width_says_so(missing: int) -> None:
    answers = np.ones((6, 5), dtype=np.int64)
    answers.flat[:missing] = 0
    table = CellTable.in_own_order(answers, answers)
    [both] = bootstrap.one_way_and_crossed([table], ScoreSettings(replicates=200))
    assert [(interval.low, interval.high, interval.note) for interval in both] == [
        (1, 1, bootstrap.NO_WIDTH)
    ] * 2


def test_unequal_participants_are_drawn() -> None:
    unequal = Clusters(np.array([4, 4, 5]), np.array([1, 2, 5]))
    assert exact_over_participants(unequal, 0.95) is None


def test_a_groups_interval_does_not_depend_on_the_others() -> None:
    settings = ScoreSettings(replicates=500)
    groups = [
        clusters([1, 2, 3], 4),
        Clusters(np.array([4, 4, 5]), np.array([1, 2, 5])),
        Clusters(np.array([4, 7, 5]), np.array([4, 2, 5])),
    ]
    together = over_participants(groups, settings)
    assert together == [over_participants([group], settings)[0] for group in groups]


@pytest.mark.parametrize("missing", [0, 3])
def test_both_ways_to_ask_give_the_same_bits(missing: int) -> None:
    rng = np.random.default_rng(missing)
    answers = np.ones((9, 7), dtype=np.int64)
    answers.flat[rng.choice(answers.size, missing, replace=False)] = 0
    table = CellTable.in_own_order(answers, answers * rng.integers(0, 2, answers.shape))
    settings = ScoreSettings(replicates=400)
    [(one_way, _)] = bootstrap.one_way_and_crossed([table], settings)
    assert [one_way] == over_participants([table.by_participant], settings)
