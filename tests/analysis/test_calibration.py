import itertools

import numpy as np
import pytest
from scipy import stats

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.calibration import calibration
from survey_site.analysis.scoring import wilson

RNG = np.random.default_rng(0)
RATINGS = RNG.integers(1, 5, 120).astype(float)
RIGHT = RNG.random(120) < 0.3 + 0.15 * RATINGS


def test_the_area_equals_scipys_mann_whitney() -> None:
    u = stats.mannwhitneyu(RATINGS[RIGHT], RATINGS[~RIGHT]).statistic
    assert calibration(RATINGS, RIGHT).auroc == pytest.approx(u / RIGHT.sum() / (~RIGHT).sum(), abs=1e-12)


def test_gamma_equals_a_naive_loop() -> None:
    signs = [np.sign(a - b) for a, b in itertools.product(RATINGS[RIGHT], RATINGS[~RIGHT])]
    expected = sum(signs) / sum(map(abs, signs))
    assert calibration(RATINGS, RIGHT).gamma == pytest.approx(expected, abs=1e-12)


def test_levels_count_every_rated_answer() -> None:
    result = calibration(np.append(RATINGS, np.nan), np.append(RIGHT, True))
    assert result.n_missing == 1
    for level in result.levels:
        right = RIGHT[level.level == RATINGS]
        assert (level.n, level.hits, level.estimate) == (len(right), right.sum(), right.mean())
        assert level.interval == wilson(level.hits, level.n)


@pytest.mark.parametrize(
    ("ratings", "right", "gamma", "auroc"),
    [
        ([1, 2, 3], [True, True, True], None, None),
        ([2, 2, 2], [True, False, True], None, 0.5),
        ([1, 1, 4], [False, False, True], 1, 1),
        ([np.nan], [True], None, None),
        ([], [], None, None),
    ],
)
def test_corners_have_defined_answers(
    ratings: list[float], right: list[bool], gamma: float | None, auroc: float | None
) -> None:
    result = calibration(np.array(ratings, dtype=float), np.array(right, dtype=bool))
    assert (result.gamma, result.auroc) == (gamma, auroc)


def test_what_is_no_rating_is_refused() -> None:
    with pytest.raises(ScoringError, match=r"a confidence is 1\.5; it must be a whole number"):
        calibration(np.array([1.5]), np.array([True]))
    with pytest.raises(ScoringError, match="1 ratings for 2 answers"):
        calibration(np.array([1.0]), np.array([True, False]))
