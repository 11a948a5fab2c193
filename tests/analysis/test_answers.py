"""Answers as columns: the same bits as rows, and what is refused."""

import doctest
from typing import Any

import numpy as np
import pytest

from survey_site.analysis import answers, bootstrap, scoring
from survey_site.analysis.answers import AnswerTable, ScoredRow, ScoringError
from survey_site.analysis.scoring import ScoreSettings
from tests.analysis.test_scoring import study

FEW = ScoreSettings(replicates=300)


def columns(rows: list[ScoredRow]) -> AnswerTable:
    condition, participant, item, is_correct, n_options, _ = zip(*rows, strict=True)
    return AnswerTable.from_columns(
        condition=condition, participant=participant, item=item, is_correct=is_correct, n_options=n_options
    )


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(answers).failed == 0


def test_columns_and_rows_give_the_same_bits() -> None:
    rows = study(condition="a", person_sd=1) + study(20, 7, condition="b", rows_per_trial=3)
    rows = rows[::2] + rows[1::2]
    assert scoring.score_table(columns(rows), settings=FEW) == scoring.score_conditions(rows, settings=FEW)


def test_integer_codes_and_numpy_truths_are_taken_as_they_are() -> None:
    table = AnswerTable.from_columns(
        condition=np.array([7, 7, 9]),
        participant=np.array([1, 2, 1]),
        item=np.array([3, 3, 3]),
        is_correct=np.array([True, False, True]),
        n_options=np.array([2, 2, 3]),
    )
    assert table.conditions == ("7", "9")
    assert [score.estimate for score in scoring.score_table(table, settings=FEW)] == [0.5, 1]


def test_parts_and_neighbours_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [columns(study(12, items, person_sd=1)).cells("c") for items in (5, 9, 40)]
    whole = bootstrap.crossed(tables, FEW)
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 500)
    assert [bootstrap.crossed([table], FEW)[0] for table in tables] == whole


def test_both_bootstraps_at_once_equal_each_alone() -> None:
    tables = [columns(study(12, items, person_sd=1)).cells("c") for items in (5, 9)]
    tables.append(columns(study(7, 4)).cells("c"))
    one_way = bootstrap.over_participants([table.by_participant for table in tables], FEW)
    both = bootstrap.one_way_and_crossed(tables, FEW)
    assert both == list(zip(one_way, bootstrap.crossed(tables, FEW), strict=True))


def test_tables_too_large_for_float32_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    table = columns(study(30, 12, person_sd=1, item_sd=1)[:-40]).cells("c")
    exact = bootstrap.crossed([table], FEW)
    monkeypatch.setattr(bootstrap, "EXACT_IN_FLOAT32", 1)
    assert bootstrap.crossed([table], FEW) == exact


def test_conditions_can_be_pooled_by_a_factor() -> None:
    rows = study(condition="a") + study(condition="b", seed=1) + study(condition="c", seed=2)
    residual = {"a": "yes", "b": "yes"}
    table = columns(rows).regrouped(residual.get)
    pooled = [row._replace(condition="yes") for row in rows if row.condition in residual]
    assert scoring.score_table(table, settings=FEW) == scoring.score_conditions(pooled, settings=FEW)


def test_answers_can_be_grouped() -> None:
    rows = study()
    labels = {"i0": "cat", "i1": "cat", "i2": "dog"}
    grouped = columns(rows).regrouped_by_answer([labels.get(row.item) for row in rows])
    scores = scoring.score_table(grouped, settings=FEW)
    assert [(score.condition, score.n_items) for score in scores] == [("cat", 2), ("dog", 1)]
    cats = [row.is_correct for row in rows if labels.get(row.item) == "cat"]
    assert scores[0].estimate == sum(cats) / len(cats)


def test_a_condition_that_nobody_saw_is_refused_by_name() -> None:
    table = columns(study())
    with pytest.raises(ScoringError, match="condition 'x' has no answers; conditions with answers: c"):
        table.cells("x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"is_correct": [True, 2]}, "is_correct is 2; it must be True, False, 1 or 0"),
        ({"is_correct": ["1", "0"]}, "is_correct is '1'"),
        ({"is_correct": [True, float("nan")]}, "is_correct is nan"),
        ({"n_options": [2, 1]}, "n_options is 1; it must be (a whole number, )?2 or more"),
        ({"n_options": np.array([2, -1])}, "n_options is -1; it must be 2 or more"),
        ({"item": ["i"]}, "item has 1 values where condition has 2"),
    ],
)
def test_columns_that_make_no_sense_are_refused(changes: dict[str, list], message: str) -> None:
    good: dict[str, Any] = {
        "condition": ["c", "c"],
        "participant": ["p", "q"],
        "item": ["i", "i"],
        "is_correct": [1, 0],
    }
    with pytest.raises(ScoringError, match=message):
        AnswerTable.from_columns(**{**good, **changes})


def test_codes_beyond_their_names_are_refused() -> None:
    two = np.array([0, 1])
    with pytest.raises(ScoringError, match="item has codes from 0 to 1; they must lie between 0 and 0"):
        AnswerTable(("c", "d"), ("p", "q"), ("i",), two, two, two, two == 0, two * 0, ("",), two * 0)
