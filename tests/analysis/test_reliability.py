"""Split half, test-retest and noise ceilings: naive loops, known answers, recovery."""

import numpy as np
import pytest
from numpy.typing import NDArray

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.cells import CellTable
from survey_site.analysis.reliability import noise_ceiling, retest, split_half
from survey_site.analysis.score_settings import ScoreSettings

FEW = ScoreSettings(replicates=500)


def answered(share_by_item: NDArray[np.float64], participants: int, seed: int = 0) -> CellTable:
    rng = np.random.default_rng(seed)
    hits = (rng.random((participants, len(share_by_item))) < share_by_item).astype(np.int64)
    return CellTable.in_own_order(np.ones_like(hits), hits)


def test_split_half_recovers_the_reliability_of_the_item_scores() -> None:
    """True variance over items against the binomial noise of 40 answers: reliability by definition."""
    shares = np.linspace(0.3, 0.9, 60)
    noise = np.mean(shares * (1 - shares)) / 40
    expected = shares.var() / (shares.var() + noise)
    found = [split_half(answered(shares, 40, seed), n_splits=60).reliability for seed in range(10)]
    assert np.mean([value for value in found if value is not None]) == pytest.approx(expected, abs=0.01)


def test_split_half_steps_up_the_mean_correlation() -> None:
    result = split_half(answered(np.linspace(0.2, 0.9, 12), 20), n_splits=200)
    assert result.reliability == pytest.approx(2 * result.correlation / (1 + result.correlation))
    assert None not in (result.low, result.high)
    assert result.low < result.reliability < result.high  # type: ignore[operator]
    assert result.n_splits == 200


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_halves_that_correlate_negatively_have_no_reliability(noise: float) -> None:
    """Everybody gives as many right answers to each item as the others leave wrong."""
    rng = np.random.default_rng(0)
    hits = np.stack([np.arange(8) % 2, (np.arange(8) + 1) % 2] * 3)
    hits = np.where(rng.random(hits.shape) < noise, rng.integers(0, 2, hits.shape), hits)
    result = split_half(CellTable.in_own_order(np.ones_like(hits), hits), n_splits=200)
    assert result.correlation < 0
    assert (result.reliability, result.low, result.high) == (None, None, None)
    assert result.note == "the halves correlate negatively: Spearman-Brown does not apply"


def test_single_negative_splits_do_not_explode() -> None:
    result = split_half(answered(np.linspace(0.55, 0.75, 6), 12, seed=3), n_splits=400)
    assert result.reliability is not None
    assert result.low is not None
    assert -1 <= result.low < 0 < result.reliability < 1


def test_items_that_do_not_differ_are_not_reliable() -> None:
    found = [split_half(answered(np.full(50, 0.7), 30, seed), n_splits=50).correlation for seed in range(20)]
    assert np.mean(found) == pytest.approx(0, abs=0.07)


def test_split_half_depends_on_the_seed_only() -> None:
    table = answered(np.linspace(0.2, 0.9, 12), 20)
    order = np.random.default_rng(1).permutation(20)
    again = CellTable.in_own_order(table.answers[order], table.hits[order])
    assert split_half(again, n_splits=50) == split_half(table, n_splits=50)
    assert split_half(table, n_splits=50, rng_seed=1) != split_half(table, n_splits=50)


def test_retest_by_hand() -> None:
    first, again = np.array([3, 5, 5, 7]), np.array([3, 5, 6, 8])
    result = retest(
        first=first,
        again=again,
        first_right=np.array([True, True, True, False]),
        again_right=np.array([True, True, False, False]),
        participant=np.array([0, 0, 2, 2]),
        settings=FEW,
    )
    assert (result.agreement, result.n, result.n_participants) == (0.5, 4, 2)
    # p1 = 3/4, p2 = 1/2: expected 1/2, observed 3/4
    assert result.kappa == pytest.approx(0.5)
    assert (result.interval.low, result.interval.high) == (0, 1)


def test_repeats_always_right_have_no_kappa() -> None:
    ones, right = np.ones(3, dtype=int), np.ones(3, dtype=bool)
    result = retest(
        first=ones, again=ones, first_right=right, again_right=right, participant=ones, settings=FEW
    )
    assert (result.agreement, result.kappa) == (1, None)


def naive_ceiling(ratings: NDArray[np.int64]) -> tuple[float, float]:
    lower, upper, n = 0.0, 0.0, 0
    for unit in ratings.T:
        chosen = [value for value in unit.tolist() if value >= 0]
        if len(chosen) < 2:
            continue
        n += len(chosen)
        upper += max(chosen.count(value) for value in set(chosen))
        for place, own in enumerate(chosen):
            others = chosen[:place] + chosen[place + 1 :]
            most = max(others.count(value) for value in set(others))
            favourites = [value for value in set(others) if others.count(value) == most]
            lower += (own in favourites) / len(favourites)
    return lower / n, upper / n


@pytest.mark.parametrize("categories", [2, 4])
@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_noise_ceilings_equal_a_naive_loop(categories: int, missing: float) -> None:
    rng = np.random.default_rng(categories)
    ratings = rng.integers(0, categories, (7, 30))
    ratings[rng.random(ratings.shape) < missing] = -1
    ceiling = noise_ceiling(ratings)
    assert (ceiling.lower, ceiling.upper) == pytest.approx(naive_ceiling(ratings), abs=1e-12)


def test_ceilings_of_full_agreement_and_of_guessing() -> None:
    full = noise_ceiling(np.tile(np.arange(10) % 3, (6, 1)))
    assert (full.lower, full.upper, full.n, full.n_units) == (1, 1, 60, 10)
    guessing = noise_ceiling(np.random.default_rng(0).integers(0, 2, (21, 4000)))
    assert guessing.lower == pytest.approx(0.5, abs=0.01)
    assert guessing.upper > 0.55


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (answered(np.full(5, 0.5), 3), "3 participants and 5 items"),
        (answered(np.full(2, 0.5), 9), "9 participants and 2 items"),
        (answered(np.ones(5), 9), "items do not differ"),
    ],
)
def test_split_half_refuses_what_has_no_answer(table: CellTable, message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        split_half(table, n_splits=20)


def test_no_repeats_and_no_shared_units_are_refused() -> None:
    none = np.zeros(0, dtype=int)
    with pytest.raises(ScoringError, match="no repeated trial"):
        retest(
            first=none, again=none, first_right=none > 0, again_right=none > 0, participant=none, settings=FEW
        )
    with pytest.raises(ScoringError, match="no unit was answered by two people"):
        noise_ceiling(np.array([[0, -1], [-1, 1]]))
