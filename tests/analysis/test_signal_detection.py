import doctest

import numpy as np
import pytest
from scipy import stats

from survey_site.analysis import signal_detection
from survey_site.analysis.answers import ScoringError
from survey_site.analysis.signal_detection import side_bias


def places(first_right: int, first_wrong: int, second_right: int, second_wrong: int) -> tuple:
    """Chosen and right places from the counts of right and wrong answers by where the answer was."""
    answer = [0] * (first_right + first_wrong) + [1] * (second_right + second_wrong)
    chosen = [0] * first_right + [1] * first_wrong + [1] * second_right + [0] * second_wrong
    return np.array(chosen), np.array(answer)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(signal_detection).failed == 0


def test_by_hand() -> None:
    bias = side_bias(*places(40, 10, 30, 20))
    z_hit, z_false_alarm = stats.norm.ppf(40.5 / 51), stats.norm.ppf(20.5 / 51)
    assert bias.first_share == 0.6
    assert bias.d_prime == pytest.approx((z_hit - z_false_alarm) / 2**0.5)
    assert bias.bias == pytest.approx(-(z_hit + z_false_alarm) / 2**0.5)
    ways = stats.hypergeom(100, 50, 70).pmf(np.arange(20, 51))  # right answers where it was first, of 70
    assert bias.p_value == pytest.approx(ways[ways <= ways[20] * (1 + 1e-9)].sum())


def test_without_bias_it_agrees_with_the_pooled_d_prime() -> None:
    bias = side_bias(*places(760, 240, 760, 240))
    assert bias.bias == pytest.approx(0)
    assert bias.d_prime == pytest.approx(signal_detection.d_prime(1520, 2000), abs=2e-3)


def test_who_always_takes_the_first_is_biased_and_insensitive() -> None:
    bias = side_bias(*places(50, 0, 0, 50))
    assert bias.first_share == 1
    assert bias.d_prime == pytest.approx(0)
    assert bias.bias < -3


def test_a_known_bias_and_sensitivity_are_recovered() -> None:
    """Two observations of unit noise; the first wins if it exceeds the second by the criterion."""
    rng = np.random.default_rng(0)
    answer = rng.integers(0, 2, 200_000)
    signal = np.stack([answer == 0, answer == 1]) * 1.2 + rng.normal(size=(2, len(answer)))
    chosen = (signal[0] - signal[1] < 0.5 * 2**0.5).astype(int)
    bias = side_bias(chosen, answer)
    assert bias.d_prime == pytest.approx(1.2, abs=0.02)
    assert bias.bias == pytest.approx(0.5 * 2**0.5, abs=0.02)


@pytest.mark.parametrize(
    ("chosen", "answer", "message"),
    [
        ([0, 1], [0, 0], "always on one side"),
        ([0, 2], [0, 1], "chosen has place 2; side bias needs two options"),
        ([0], [0, 1], "1 chosen places and 2 of answers"),
        ([], [], "always on one side"),
    ],
)
def test_what_cannot_be_told_is_refused(chosen: list[int], answer: list[int], message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        side_bias(np.array(chosen), np.array(answer))


def test_a_guesser_is_not_biased_however_often_the_answer_is_first() -> None:
    """The share of answers that are first is no norm for choices: 500 guessers, Monte-Carlo error .01."""
    rng = np.random.default_rng(1)
    answer = (rng.random((500, 200)) < 0.3).astype(int)
    p = [side_bias(rng.integers(0, 2, 200), one).p_value for one in answer]
    assert np.mean(np.array(p) <= 0.05) < 0.08
    leaning = [side_bias((rng.random(200) < 0.3).astype(int), one).p_value for one in answer[:50]]
    assert np.mean(np.array(leaning) <= 0.05) > 0.9
