import doctest

import numpy as np
import pytest

from survey_site.analysis import normalised as normalised_module
from survey_site.analysis.answers import AnswerTable, ScoredRow, ScoringError
from survey_site.analysis.breakdowns import by_factor, by_item, by_participant, by_target_class
from survey_site.analysis.normalised import normalised
from survey_site.analysis.scoring import ScoreSettings, score_conditions, wilson
from tests.analysis.test_scoring import study

FEW = ScoreSettings(replicates=200)
ROWS = study(4, 3, condition="b") + study(4, 3, condition="a", seed=1)
TABLE = AnswerTable.from_rows(ROWS)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(normalised_module).failed == 0


def test_by_participant_and_by_item_count_every_answer() -> None:
    for shares, key in ((by_participant(TABLE), "participant"), (by_item(TABLE), "item")):
        assert [(share.condition, share.name) for share in shares] == sorted(
            {(row.condition, getattr(row, key)) for row in ROWS}
        )
        for share in shares:
            answers = [
                row.is_correct
                for row in ROWS
                if (row.condition, getattr(row, key)) == (share.condition, share.name)
            ]
            assert (share.n, share.hits) == (len(answers), sum(answers))
            assert share.estimate == sum(answers) / len(answers)
            assert share.interval == wilson(share.hits, share.n)


def test_a_factor_pools_its_conditions_and_leaves_out_those_without_a_level() -> None:
    rows = [*ROWS, *study(4, 3, condition="c", seed=2)]
    [score] = by_factor(AnswerTable.from_rows(rows), {"a": "yes", "b": "yes", "c": None}, settings=FEW)
    [pooled] = score_conditions([row._replace(condition="yes") for row in ROWS], settings=FEW)
    assert score == pooled


def test_target_classes() -> None:
    classes = {"i0": "cat", "i1": "cat", "i2": ""}
    scores = by_target_class(TABLE, [classes.get(row.item, "") for row in ROWS], settings=FEW)
    assert [(score.condition, score.n) for score in scores] == [("cat", 16)]


def test_no_level_and_no_class_are_refused() -> None:
    with pytest.raises(ScoringError, match=r"no condition with answers has a level; .* a, b"):
        by_factor(TABLE, {"x": "yes"}, settings=FEW)
    with pytest.raises(ScoringError, match="no answered item has a target class"):
        by_target_class(TABLE, [""] * len(TABLE), settings=FEW)
    with pytest.raises(ScoringError, match="2 groups were given for"):
        by_target_class(TABLE, ["cat", "dog"], settings=FEW)


@pytest.mark.parametrize(
    ("score", "value", "note"),
    [
        (0.5, 0, ""),
        (0.9, 1, ""),
        (0.7, 0.5, ""),
        (0.95, 1.125, "above the noise ceiling"),
        (0.4, -0.25, "below"),
    ],
)
def test_a_normalised_score_is_never_clipped(score: float, value: float, note: str) -> None:
    result = normalised(score, chance=0.5, ceiling=0.9)
    assert result.value == pytest.approx(value)
    assert note in result.note
    assert bool(note) == bool(result.note)


@pytest.mark.parametrize(
    ("score", "chance", "ceiling", "message"),
    [
        (0.7, 0.5, 0.5, "ceiling 0.500 is not above chance 0.500"),
        (70, 0.5, 0.9, "score is 70; it must lie between 0 and 1"),
        (np.nan, 0.5, 0.9, "score is nan"),
    ],
)
def test_what_cannot_be_normalised_is_refused(
    score: float, chance: float, ceiling: float, message: str
) -> None:
    with pytest.raises(ScoringError, match=message):
        normalised(score, chance=chance, ceiling=ceiling)


def test_the_same_person_in_two_conditions_of_a_level_is_one_participant() -> None:
    rows = [ScoredRow(c, "p", f"{c}{i}", True) for c in "ab" for i in range(3)]
    [score] = by_factor(AnswerTable.from_rows(rows), {"a": "x", "b": "x"}, settings=FEW)
    assert (score.n_participants, score.n_items) == (1, 6)
