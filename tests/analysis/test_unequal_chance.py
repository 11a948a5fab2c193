"""Conditions of different chance are not compared, not ranked, and said to be pooled; perfect ones leave
the mixed model to the others.
"""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.breakdowns import by_factor, by_target_class
from survey_site.analysis.comparisons import compare_conditions
from survey_site.analysis.mixed_logit import fit_mixed_logit, without_flat
from survey_site.analysis.ranking import rank_networks
from survey_site.analysis.sample_size import effects_of_pilot
from survey_site.analysis.score_settings import ScoreSettings
from survey_site.analysis.scoring import ScoredRow, score_conditions

FEW = ScoreSettings(replicates=100)


def guessers(**options_of: int) -> AnswerTable:
    """Twelve people who guess on ten items of each condition; of 1 option: always right."""
    rows = [
        (condition, f"p{person}", f"{condition}{item}", rng.random() < 1 / options, max(options, 2))
        for condition, options in options_of.items()
        for rng in [random.Random(condition)]
        for person in range(12)
        for item in range(10)
    ]
    condition, participant, item, is_correct, n_options = zip(*rows, strict=True)
    return AnswerTable.from_columns(
        condition=condition, participant=participant, item=item, is_correct=is_correct, n_options=n_options
    )


def test_only_equal_chance_is_compared_by_default_and_else_refused() -> None:
    table = guessers(a=2, b=2, c=4)
    assert [(one.first, one.second) for one in compare_conditions(table, draws=100)] == [("a", "b")]
    with pytest.raises(ScoringError, match="a has trials of 2 options and c of 4"):
        compare_conditions(table, [("a", "c")], draws=100)


def test_guessers_do_not_rank_networks_by_their_chance() -> None:
    with pytest.raises(ScoringError, match="their chance levels differ"):
        rank_networks(guessers(a=2, c=4), {"a": "one", "c": "other"})


def test_pooling_different_chance_is_said() -> None:
    pooled = by_factor(guessers(a=2, c=4), {"a": "same", "c": "same"}, settings=FEW)
    assert "trials of 2 and 4 options are pooled, and their chance levels differ" in pooled[0].warnings
    alone = by_factor(guessers(a=2, b=2), {"a": "same", "b": "same"}, settings=FEW)
    assert not any("pooled" in warning for warning in alone[0].warnings)


def test_a_perfect_control_leaves_the_model_to_the_others() -> None:
    with_control, alone = guessers(a=2, control=1), guessers(a=2)
    kept, flat = without_flat(with_control)
    assert (flat, kept.seen_conditions()) == (["control"], ["a"])
    assert fit_mixed_logit(kept).effects == fit_mixed_logit(alone).effects
    assert effects_of_pilot(with_control, "a") == effects_of_pilot(alone, "a")
    with pytest.raises(ScoringError, match="all right or all wrong in control"):
        effects_of_pilot(with_control, "control")


def test_a_matching_trial_asks_about_several_classes() -> None:
    rows = [(f"p{person}", reference, person >= reference) for person in range(4) for reference in range(3)]
    table = AnswerTable.from_columns(
        condition=["m"] * 12,
        participant=[person for person, _, _ in rows],
        item=["trial"] * 12,
        is_correct=[right for _, _, right in rows],
    )
    found = by_target_class(table, [f"class{reference}" for _, reference, _ in rows], settings=FEW)
    assert [(one.condition, one.hits, one.n) for one in found] == [
        ("class0", 4, 4),
        ("class1", 3, 4),
        ("class2", 2, 4),
    ]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_name_is_refused(missing: object) -> None:
    with pytest.raises(ScoringError, match="is missing"):
        AnswerTable.from_columns(
            condition=["a", "a"], participant=["x", missing], item=["1", "1"], is_correct=[1, 0]
        )
    with pytest.raises(ScoringError, match="is missing"):
        score_conditions([ScoredRow("a", missing, "1", True), ScoredRow("a", "x", "1", True)])  # type: ignore[arg-type]


def test_options_are_whole_numbers_or_unknown() -> None:
    columns: dict[str, Any] = {
        "condition": ["a"] * 2, "participant": ["x", "y"], "item": ["1"] * 2, "is_correct": [1, 0],
    }  # fmt: skip
    assert AnswerTable.from_columns(**columns, n_options=np.array([2.0, np.nan])).n_options.tolist() == [2, 0]
    with pytest.raises(ScoringError, match=r"n_options is 2.5; it must be a whole number"):
        AnswerTable.from_columns(**columns, n_options=np.array([2.5, 2]))


def without_options(*conditions: str) -> AnswerTable:
    """Two conditions of two options, which are not known of these."""
    table = guessers(a=2, b=2)
    unknown = np.isin(table.condition, [table.conditions.index(name) for name in conditions])
    return replace(table, n_options=np.where(unknown, 0, table.n_options))


@pytest.mark.parametrize("unknown", ["a", "b", "ab"])
def test_an_unknown_number_of_options_equals_none(unknown: str) -> None:
    table = without_options(*unknown)
    assert compare_conditions(table) == []
    with pytest.raises(ScoringError, match=f"the trials of {unknown[0]} had is not known for every answer"):
        compare_conditions(table, [("a", "b")])
    with pytest.raises(ScoringError, match="is not known for every answer, so chance is not known"):
        rank_networks(table, {"a": "one", "b": "other"})
