"""Expected intervals: complete designs agree with `power_of`, incomplete ones with what was really seen."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from survey_site.analysis import planned_power
from survey_site.analysis.answers import ScoringError
from survey_site.analysis.planned_power import FEWEST_SIMULATIONS, expected_interval
from survey_site.analysis.sample_size import PilotEffects, power_of

EFFECTS = PilotEffects(share=0.7, participant_sd=0.4, item_sd=0.6)


def test_a_complete_design_is_the_sample_size_s_own_case() -> None:
    ours = expected_interval(EFFECTS, np.ones((25, 12), dtype=bool), n_simulations=150, rng_seed=5)
    theirs = power_of(EFFECTS, participants=25, items=12, n_simulations=150, rng_seed=5)
    assert ours.half_width == pytest.approx(theirs.half_width)
    assert ours.power == pytest.approx(theirs.power)
    assert ours.error == pytest.approx(theirs.error)
    assert (ours.answers, ours.n_simulations) == (300, 150)


def test_whoever_sees_half_tells_less() -> None:
    half = (np.indices((24, 12)).sum(axis=0) % 2).astype(bool)
    seen = expected_interval(EFFECTS, half, n_simulations=100)
    complete = expected_interval(EFFECTS, np.ones((24, 12), dtype=bool), n_simulations=100)
    assert seen.answers == 144
    assert seen.half_width > complete.half_width


def test_who_sees_nothing_is_nobody() -> None:
    shown = np.zeros((9, 8), dtype=bool)
    shown[:5, :4] = True
    assert expected_interval(EFFECTS, shown) == expected_interval(EFFECTS, np.ones((5, 4), dtype=bool))


def test_below_chance_power_is_on_the_other_side() -> None:
    low = PilotEffects(share=0.2, participant_sd=0.2, item_sd=0.2)
    assert expected_interval(low, np.ones((40, 12), dtype=bool), n_simulations=60).power > 0.9
    at_chance = PilotEffects(share=0.5, participant_sd=0.2, item_sd=0.2)
    assert expected_interval(at_chance, np.ones((40, 12), dtype=bool), n_simulations=200).power < 0.1


def test_a_large_design_is_simulated_less_often() -> None:
    assert expected_interval(EFFECTS, np.ones((1000, 200), dtype=bool)).n_simulations == FEWEST_SIMULATIONS


@pytest.mark.parametrize(
    ("shown", "against", "said"),
    [
        (np.ones((1, 5), dtype=bool), 0.5, "1 participants and 5 items; both must be 2 or more"),
        (np.zeros((4, 4), dtype=bool), 0.5, "0 participants and 0 items"),
        (np.ones((2000, 501), dtype=bool), 0.5, "2000 participants and 501 items are too many to simulate"),
        (np.eye(400, dtype=bool), 0.5, "400 participants and 400 items are too many to simulate"),
        (np.ones((4, 4), dtype=bool), 1.0, "against is 1.0; it must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_simulated_is_refused(shown: np.ndarray, against: float, said: str) -> None:
    with pytest.raises(ScoringError, match=said):
        expected_interval(EFFECTS, shown, against=against)


def test_the_example() -> None:
    assert doctest.testmod(planned_power).failed == 0
