"""Power by simulation: known answers, its size under the null, recovery from a pilot."""

import doctest

import numpy as np
import pytest

from survey_site.analysis import sample_size
from survey_site.analysis.answers import ScoringError
from survey_site.analysis.sample_size import (
    PilotEffects,
    effects_of_pilot,
    logit_of_mean,
    power_of,
    required_participants,
    simulated_tables,
)
from tests.analysis.test_mixed_logit import simulated


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(sample_size).failed == 0


def test_simulated_studies_have_the_share_asked_for() -> None:
    effects = PilotEffects(share=0.8, participant_sd=1.0, item_sd=0.7)
    tables = simulated_tables(effects, 40, 30, 300, np.random.default_rng(0))
    assert np.mean([table.estimate for table in tables]) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
@pytest.mark.parametrize("sd", [0.3, 2.0])
def test_the_centre_averages_to_the_share(share: float, sd: float) -> None:
    effects = np.random.default_rng(0).normal(size=400_000) * sd
    mean = np.mean(1 / (1 + np.exp(-(logit_of_mean(share, sd) + effects))))
    assert mean == pytest.approx(share, abs=0.002)


def test_without_an_effect_the_power_is_half_of_what_is_left() -> None:
    power = power_of(
        PilotEffects(share=0.5, participant_sd=0.5, item_sd=0.5), participants=30, items=20, n_simulations=600
    )
    assert power.power == pytest.approx(0.025, abs=3 * 0.0064 + 0.01)


def test_more_participants_and_more_items_give_more_power() -> None:
    pilot = PilotEffects(share=0.62, participant_sd=0.8, item_sd=0.8)
    few = power_of(pilot, participants=10, items=10, n_simulations=300)
    people = power_of(pilot, participants=60, items=10, n_simulations=300)
    both = power_of(pilot, participants=60, items=40, n_simulations=300)
    assert few.power < people.power < both.power
    assert few.half_width > people.half_width > both.half_width
    assert both == power_of(pilot, participants=60, items=40, n_simulations=300)


def test_the_smallest_sufficient_candidate_is_named() -> None:
    pilot = PilotEffects(share=0.65, participant_sd=0.5, item_sd=0.3)
    needed = required_participants(pilot, items=20, candidates=(60, 5, 20), n_simulations=200)
    assert needed.participants == needed.curve[-1].participants
    assert needed.curve[-1].power >= 0.9 > needed.curve[0].power
    hopeless = required_participants(
        PilotEffects(share=0.52, participant_sd=1, item_sd=1), items=5, candidates=(5, 50), n_simulations=100
    )
    assert hopeless.participants is None
    assert len(hopeless.curve) == 2


def test_effects_below_chance_are_found_too() -> None:
    pilot = PilotEffects(share=0.1, participant_sd=0.3, item_sd=0.3)
    assert power_of(pilot, participants=20, items=10, n_simulations=100).power > 0.95


def test_effects_are_read_off_a_pilot() -> None:
    table = simulated(80, 60, seed=5)
    effects = effects_of_pilot(table, "0")
    assert effects.share == table.cells("0").estimate
    assert effects.participant_sd == pytest.approx(0.8, abs=0.2)
    assert effects.item_sd == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"participants": 1}, "1 participants and 10 items; both must be 2 or more"),
        ({"against": 1}, "against is 1; it must lie between 0 and 1"),
        ({"method": "wald"}, "method is 'wald'; it must be one of twoway, cluster"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict, message: str) -> None:
    pilot = PilotEffects(share=0.6, participant_sd=0, item_sd=0)
    with pytest.raises(ScoringError, match=message):
        power_of(pilot, **{"participants": 10, "items": 10, **changes})


def test_impossible_effects_are_refused() -> None:
    with pytest.raises(ScoringError, match="share is 1; it must lie between 0 and 1"):
        PilotEffects(share=1, participant_sd=0, item_sd=0)
    with pytest.raises(ScoringError, match="item_sd is -1; it must be 0 or more"):
        PilotEffects(share=0.5, participant_sd=0, item_sd=-1)
    with pytest.raises(ScoringError, match="power is 90"):
        required_participants(PilotEffects(share=0.6, participant_sd=0, item_sd=0), items=5, power=90)
