import numpy as np
import pytest

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.reaction_times import QUANTILES, speed_accuracy, summarise
from survey_site.analysis.responses import timed
from tests.analysis.test_canonical import answers

NAN = float("nan")


def test_a_matching_trial_has_one_time_and_is_right_as_a_whole() -> None:
    one, other = answers(0, people=1)[:2]
    matching = [
        one._replace(presentation="m", reference=reference, rt=900.0, is_correct=reference != 2)
        for reference in range(3)
    ]
    found = timed([*matching, other._replace(rt=None, is_correct=True)])
    assert (found.is_right.tolist(), found.participant.tolist()) == ([False, True], [0, 0])
    np.testing.assert_array_equal(found.rt, [900, NAN])
    unnamed = [row._replace(presentation="") for row in matching]
    assert timed(unnamed).rt.tolist() == [900] * 3


def test_quantiles_apart_for_right_and_wrong() -> None:
    rt = np.array([300.0, 500, 700, 900, NAN])
    summary = summarise(rt, np.array([True, False, True, False, True]))
    assert (summary.all.n, summary.all.median, summary.all.mean) == (4, 600, 600)
    assert (summary.right.median, summary.wrong.median, summary.n_missing) == (500, 700, 1)
    assert list(summary.all.quantiles.values()) == [float(np.quantile(rt[:4], q)) for q in QUANTILES]


def test_no_times_have_a_defined_answer() -> None:
    summary = summarise(np.array([NAN]), np.array([True]))
    assert (summary.all.n, summary.all.median, summary.all.quantiles, summary.n_missing) == (0, None, {}, 1)
    assert speed_accuracy(np.array([NAN]), np.array([True]), np.array([0])) == []


def test_bins_are_each_participants_own() -> None:
    """A slow and a fast person, both right in the slower half of their answers only."""
    rt = np.array([100.0, 200, 300, 400, 1000, 2000, 3000, 4000])
    right = np.array([False, False, True, True] * 2)
    fast, slow = speed_accuracy(rt, right, np.repeat([3, 1], 4), bins=2)
    assert (fast.accuracy, slow.accuracy) == (0, 1)
    assert (fast.rt, slow.rt) == (825, 1925)
    assert (fast.n, fast.n_participants) == (4, 2)


def test_who_answered_too_little_fills_no_bin() -> None:
    rt = np.array([100.0, 200, 300, 400])
    bins = speed_accuracy(rt, rt > 0, np.array([0, 0, 0, 1]), bins=3)
    assert [(b.place, b.n_participants) for b in bins] == [(0, 1), (1, 1), (2, 1)]


def test_a_rising_accuracy_is_recovered() -> None:
    rng = np.random.default_rng(0)
    rt = rng.gamma(4, 200, 40_000)
    right = rng.random(40_000) < 0.5 + 0.4 * (rt > np.quantile(rt, 0.6))
    accuracies = [b.accuracy for b in speed_accuracy(rt, right, np.repeat(range(20), 2000), bins=5)]
    assert accuracies == pytest.approx([0.5, 0.5, 0.5, 0.9, 0.9], abs=0.03)


@pytest.mark.parametrize(
    ("rt", "message"),
    [([-1.0], "a reaction time is -1.0"), ([float("inf")], "inf"), ([1.0, 2.0], "2 reaction times for 1")],
)
def test_times_that_make_no_sense_are_refused(rt: list[float], message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        summarise(np.array(rt), np.array([True]))


def test_one_bin_is_refused() -> None:
    with pytest.raises(ScoringError, match="bins is 1; it must be 2 or more"):
        speed_accuracy(np.array([1.0]), np.array([True]), np.array([0]), bins=1)
