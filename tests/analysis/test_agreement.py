"""Agreement against statsmodels, published examples and naive loops."""

import doctest
import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from survey_site.analysis import agreement
from survey_site.analysis.agreement import (
    category_counts,
    error_consistency,
    fleiss_kappa,
    krippendorff_alpha,
    mean_error_consistency,
)
from survey_site.analysis.answers import ScoringError

FLEISS_1971 = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]
KRIPPENDORFF_2011_C = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, -1, -1, -1],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, -1, 3],
        [-1, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, -1],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, -1],
    ]
)


def random_ratings(*, missing: float = 0.0, categories: int = 3, seed: int = 0) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, categories, 15)
    ratings = np.where(rng.random((8, 15)) < 0.6, truth, rng.integers(0, categories, (8, 15)))
    return np.where(rng.random((8, 15)) < missing, -1, ratings)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(agreement).failed == 0


def test_fleiss_own_example() -> None:
    ratings = np.array([np.repeat(range(5), counts) for counts in FLEISS_1971]).T
    assert category_counts(ratings).tolist() == FLEISS_1971
    assert round(fleiss_kappa(ratings), 3) == 0.210


@pytest.mark.parametrize("seed", range(4))
def test_fleiss_equals_statsmodels(seed: int) -> None:
    ratings = random_ratings(seed=seed)
    expected = statsmodels_fleiss(category_counts(ratings))
    assert fleiss_kappa(ratings) == pytest.approx(expected, abs=1e-9)


def test_krippendorffs_own_example() -> None:
    assert round(krippendorff_alpha(KRIPPENDORFF_2011_C), 3) == 0.743


@pytest.mark.parametrize("seed", range(4))
def test_krippendorff_equals_a_naive_loop_on_an_incomplete_layout(seed: int) -> None:
    ratings = random_ratings(missing=0.5, seed=seed)
    within: list[tuple[float, float]] = []  # disagreement, weight of every ordered pair within a unit
    values: list[int] = []
    for unit in ratings.T:
        rated = [value for value in unit if value >= 0]
        if len(rated) < 2:
            continue
        values += rated
        within += [(a != b, 1 / (len(rated) - 1)) for a, b in itertools.permutations(rated, 2)]
    observed = sum(differ * weight for differ, weight in within) / len(values)
    across = [a != b for a, b in itertools.permutations(values, 2)]
    expected = 1 - observed / (sum(across) / len(across))
    assert krippendorff_alpha(ratings) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_error_consistency_is_cohens_kappa_of_correctness(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, 40)) < [[0.7], [0.6]]
    assert error_consistency(first, second) == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)


@pytest.mark.parametrize("missing", [0.0, 0.6])
def test_mean_error_consistency_equals_a_loop_over_pairs(missing: float) -> None:
    ratings = random_ratings(missing=missing, categories=2)
    kappas = []
    undefined = 0
    for a, b in itertools.combinations(ratings, 2):
        shared = (a >= 0) & (b >= 0)
        if not shared.any():
            continue
        try:
            kappas.append(error_consistency(a[shared] == 1, b[shared] == 1))
        except ScoringError:
            undefined += 1
    result = mean_error_consistency(ratings)
    assert (result.n_pairs, result.n_undefined) == (len(kappas), undefined)
    assert result.mean == pytest.approx(np.mean(kappas), abs=1e-9)
    assert result.spread == pytest.approx(np.std(kappas, ddof=1), abs=1e-9)


def test_the_same_errors_are_fully_consistent_and_independent_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    same = np.tile(rng.integers(0, 2, 200), (5, 1))
    result = mean_error_consistency(same)
    assert (result.mean, result.observed) == (1, 1)
    apart = mean_error_consistency((rng.random((12, 4000)) < 0.7).astype(int))
    assert apart.mean == pytest.approx(0, abs=0.01)


def test_pairs_that_never_err_have_no_consistency() -> None:
    result = mean_error_consistency(np.ones((3, 4), dtype=int))
    assert (result.mean, result.spread, result.n_pairs, result.n_undefined) == (None, None, 0, 3)


@pytest.mark.parametrize("statistic", [fleiss_kappa, krippendorff_alpha])
def test_order_of_observers_units_and_categories_do_not_matter(statistic) -> None:  # type: ignore[no-untyped-def]
    ratings = random_ratings()
    rng = np.random.default_rng(1)
    shuffled = np.array([2, 0, 1])[ratings[rng.permutation(8)][:, rng.permutation(15)]]
    assert statistic(shuffled) == pytest.approx(statistic(ratings), abs=1e-12)


@pytest.mark.parametrize(
    ("statistic", "ratings", "message"),
    [
        (fleiss_kappa, [[0, 1], [0, -1]], "rated by 1 to 2 observers"),
        (fleiss_kappa, [[0, 1]], "rated by 1 to 1 observers"),
        (fleiss_kappa, [[1, 1], [1, 1]], "all ratings are the same"),
        (krippendorff_alpha, [[1, 1], [1, 1]], "all ratings are the same"),
        (krippendorff_alpha, [[0, -1], [-1, 1]], "no unit was rated by two observers"),
        (krippendorff_alpha, [[-1, -1]], "no ratings"),
        (krippendorff_alpha, [[-2, 1]], "a rating is -2"),
        (krippendorff_alpha, [0, 1], "ratings have 1 dimensions"),
        (mean_error_consistency, [[0, 2], [1, 1]], "a rating is 2; error consistency needs 1"),
    ],
)
def test_ratings_without_an_answer_are_refused(statistic, ratings: list, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ScoringError, match=message):
        statistic(np.array(ratings))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [([True], [True], "always right"), ([], [], "1 or more"), ([True], [True, False], "1 and 2 answers")],
)
def test_undefined_error_consistency_is_refused(first: list, second: list, message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        error_consistency(np.array(first, dtype=bool), np.array(second, dtype=bool))
