"""Normalised scores: Fieller's interval against an inversion by hand, its coverage, where there is none."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.normalised import NO_INTERVAL, CeilingCells, normalised_with_interval
from survey_site.analysis.reliability import agreeing, noise_ceiling
from survey_site.analysis.report import alignment_report
from survey_site.analysis.responses import ResponseRow, item_cells, ratings
from tests.analysis.test_canonical import CONDITIONS, FEW, answers


def right_or_wrong(
    people: int, items: int, *, logit: float, sds: tuple[float, float], seed: int
) -> NDArray[np.int64]:
    """Answers to two options, 1 the target, (people, items)."""
    rng = np.random.default_rng(seed)
    effects = sds[0] * rng.normal(size=(people, 1)) + sds[1] * rng.normal(size=(1, items))
    return (rng.random((people, items)) < 1 / (1 + np.exp(-logit - effects))).astype(np.int64)


def cells(right: NDArray[np.int64], *, with_own: bool = False) -> CeilingCells:
    agrees = agreeing(right, with_own=with_own)
    return CeilingCells(answers=np.ones(right.shape), hits=right, rated=np.ones(right.shape), agreeing=agrees)


@pytest.mark.parametrize("with_own", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_answers_that_agree_add_up_to_the_ceiling(with_own: bool, missing: float) -> None:
    rng = np.random.default_rng(3)
    chosen = rng.integers(0, 3, (8, 40))
    chosen[rng.random(chosen.shape) < missing] = -1
    ceiling = noise_ceiling(chosen)
    assert np.nanmean(agreeing(chosen, with_own=with_own)) == pytest.approx(
        ceiling.upper if with_own else ceiling.lower
    )


def test_its_ends_are_where_the_difference_stops_being_clear() -> None:
    """The two-way cluster test of the answers ``(right - chance) - v (agrees - chance)``, at both ends."""
    right = right_or_wrong(25, 20, logit=0.5, sds=(1.0, 1.5), seed=9)  # people and items both add variance
    agrees = agreeing(right, with_own=False)
    found = normalised_with_interval(cells(right), chance=0.5)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    for v in (found.low, found.high):
        apart = (right - 0.5) - v * (agrees - 0.5)
        mean, centred = apart.mean(), apart - apart.mean()
        variance = sum(
            sign * len(sums) / (len(sums) - 1) * (sums**2).sum()
            for sign, sums in ((1, centred.sum(axis=1)), (1, centred.sum(axis=0)), (-1, centred.ravel()))
        )
        assert abs(mean) * right.size / variance**0.5 == pytest.approx(stats.t.ppf(0.975, 19), rel=1e-6)


@pytest.mark.parametrize("sds", [(0.4, 1.0), (0.4, 0.8), (1.0, 1.5)])
def test_it_covers_the_truth(sds: tuple[float, float]) -> None:
    """200 simulated studies of 40 x 25; the truth is that of the mean score and ceiling of 3,000."""
    shares = []
    for seed in range(3000):
        right = right_or_wrong(40, 25, logit=0.5, sds=sds, seed=10_000 + seed)
        shares.append((right.mean(), noise_ceiling(right).lower))
    score, ceiling = np.mean(shares, axis=0)
    truth = (score - 0.5) / (ceiling - 0.5)
    covered = []
    for seed in range(200):
        try:
            found = normalised_with_interval(
                cells(right_or_wrong(40, 25, logit=0.5, sds=sds, seed=seed)), chance=0.5
            )
        except ScoringError:
            continue
        assert found.low is not None, "what varies has an interval"
        assert found.high is not None
        covered.append(found.low <= truth <= found.high)
    assert len(covered) > 180
    assert 0.9 <= np.mean(covered) <= 0.995


def test_guessers_ceiling_is_not_clearly_above_chance() -> None:
    for seed in range(10):
        right = right_or_wrong(12, 12, logit=0, sds=(0, 0), seed=seed)
        with pytest.raises(ScoringError, match=r"is not (clearly )?above chance 0.500; nothing to scale by"):
            normalised_with_interval(cells(right), chance=0.5)


def test_identical_answers_are_no_more_evidence_than_people() -> None:
    with pytest.raises(
        ScoringError, match=r"ceiling 1.000 \(95% interval 0.292 to 1.000\) is not clearly above"
    ):
        normalised_with_interval(cells(np.ones((3, 9), dtype=np.int64)), chance=0.5)
    found = normalised_with_interval(cells(np.ones((12, 9), dtype=np.int64)), chance=0.5)
    assert (found.value, found.low, found.high, found.note) == (1, None, None, NO_INTERVAL)


def test_one_participant_or_item_is_refused() -> None:
    right = right_or_wrong(6, 1, logit=1, sds=(0, 0), seed=0)
    with pytest.raises(
        ScoringError, match="6 participants and 1 items; the interval needs 2 or more of each"
    ):
        normalised_with_interval(cells(right), chance=0.5)


def told(people: int, items: int, references: int) -> list[ResponseRow]:
    """Who chooses the target of most items and the foil of every fourth, one in five the other way."""
    plain = answers(0, people=1)[0]
    rng = np.random.default_rng(0)
    rows = []
    for person, item, reference in product(range(people), range(items), range(references)):
        is_correct = bool((item % 4 > 0) != (rng.random() < 0.2))
        rows.append(
            plain._replace(
                participant=f"p{person}",
                session=f"s{person}",
                item=f"i{item}",
                reference=reference,
                presentation=f"{person} {item}",
                choice="target" if is_correct else "foil",
                is_correct=is_correct,
            )
        )
    return rows


def test_the_report_has_it_by_both_ceilings() -> None:
    report = alignment_report(told(15, 12, 1), conditions=CONDITIONS, settings=FEW)
    [score] = report["scores"]
    for which in ("lower", "upper"):
        found = score["normalised"][f"by_{which}_ceiling"]
        ceiling = score["ceiling"][which]
        assert found["value"] == pytest.approx((score["score"] - 0.5) / (ceiling - 0.5))
        assert found["low"] < found["value"] < found["high"]
        assert found["note"] == ""


def test_units_of_a_trial_are_one_item() -> None:
    rows = told(5, 4, 3)
    found = item_cells(rows)
    assert found.answers.tolist() == [[3] * 4] * 5
    assert found.item_of_unit.tolist() == [item for item in range(4) for _ in range(3)]
    assert ratings(rows, by="choice").shape == (5, 12)
