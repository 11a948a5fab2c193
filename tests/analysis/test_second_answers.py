"""Two answers of one person to one trial, not marked as a repeat: the first in time counts, or none."""

import random
from collections.abc import Mapping
from itertools import product

import pytest

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.canonical import answer_order, canonical, second_answers
from survey_site.analysis.report import alignment_report
from survey_site.analysis.responses import ResponseRow, ratings
from tests.analysis.test_canonical import CONDITIONS, FEW, answers

EARLY, LATE = "2026-01-01T10:00:00.000Z", "2026-01-02T09:00:00Z"


def twice(*told: Mapping[str, object]) -> list[ResponseRow]:
    """One person's answers to one trial; each chose what its number in the alphabet says."""
    plain = answers(0, people=1)[0]
    return [
        plain._replace(presentation=f"shown {number}", choice="zyx"[number], **changes)  # type: ignore[arg-type]
        for number, changes in enumerate(told)
    ]


@pytest.mark.parametrize(
    "told",
    [
        ({"seq": 2}, {"seq": 11}),
        ({"received": EARLY}, {"received": LATE}),
        ({"seq": 9, "session": "a", "received": EARLY}, {"seq": 1, "session": "b", "received": LATE}),
        ({"session": "a", "received": "2026-01-01 10:00:00"}, {"session": "b", "received": LATE}),
    ],
    ids=["by seq", "by time", "sessions by time", "without a zone"],
)
@pytest.mark.parametrize("order", [1, -1])
def test_the_first_in_time_counts_whatever_was_chosen(
    told: tuple[dict[str, object], ...], order: int
) -> None:
    rows = twice(*told)[::order]
    assert second_answers(rows) == {(1 if order == 1 else 0): 1}
    assert [row.choice for row in canonical(rows)] == ["z", "y"]
    assert ratings(canonical(rows), by="choice").tolist() == [[0]]


def test_sessions_in_time_and_answers_by_seq_within_them() -> None:
    rows = twice(
        {"seq": 5, "session": "late", "received": LATE},
        {"seq": 8, "session": "early", "received": EARLY},
        {"seq": 3, "session": "early", "received": EARLY},
    )
    assert [row.choice for row in canonical(rows)] == ["x", "y", "z"]


@pytest.mark.parametrize(
    "told",
    [
        ({}, {}),
        ({"seq": 4}, {"seq": 4}),
        ({"seq": 4}, {}),
        ({"seq": 1, "session": "a"}, {"seq": 2, "session": "b"}),
        ({"session": "a", "received": EARLY}, {"session": "b", "received": "yesterday"}),
        ({"session": "a", "received": EARLY}, {"session": "b", "received": EARLY}),
    ],
    ids=["nothing", "the same", "one only", "sessions without times", "no time", "the same time"],
)
def test_without_an_order_they_are_refused_by_name(told: tuple[dict[str, object], ...]) -> None:
    with pytest.raises(ScoringError, match="participant 'p0' answered trial 'a0' 2 times, and nothing tells"):
        alignment_report(twice(*told), conditions=CONDITIONS, settings=FEW)


def test_marked_repeats_and_excluded_answers_need_no_order() -> None:
    assert second_answers(twice({}, {"repeat_of": "shown 0"})) == {}
    assert second_answers(twice({}, {"excluded_by": "catch_rate"})) == {}


AGAIN = {"repeat_of": "shown 0"}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    "told",
    [
        ({"is_correct": None}, {**AGAIN, "seq": 1}, {**AGAIN, "seq": 2}),
        (
            {"is_correct": None, "session": "a"},
            {**AGAIN, "seq": 9, "session": "a", "received": EARLY},
            {"seq": 1, "session": "b", "received": LATE},
        ),
    ],
    ids=["two marked repeats", "a repeat, and later another session"],
)
def test_of_a_trial_timed_out_the_first_repeat_counts(
    told: tuple[dict[str, object], ...], order: int
) -> None:
    rows = [row for row in canonical(twice(*told)[::order]) if row.is_correct is not None]
    assert [row.choice for row in rows] == ["y", "x"]


def test_marks_tell_the_first_where_times_do_not() -> None:
    """Over a repeat that nobody answered, too."""
    rows = twice({}, {**AGAIN, "is_correct": None}, {"repeat_of": "shown 1"})
    assert answer_order(rows) == {2: 1}
    with pytest.raises(ScoringError, match="nothing tells which answer came first"):
        answer_order(twice({"is_correct": None}, AGAIN, AGAIN))


def test_guessers_who_answer_twice_agree_by_chance() -> None:
    """Taking the choice that sorts first made 40 guessers agree; lines in another order change nothing."""
    rng = random.Random(1)
    plain = answers(0, people=1)[0]
    rows = []
    for person, item, seq in product(range(40), range(10), (1, 2)):
        choice = rng.choice(["left", "right"])
        rows.append(
            plain._replace(
                participant=f"p{person}",
                session=f"s{person}",
                item=f"i{item}",
                choice=choice,
                is_correct=choice == "left",
                presentation=f"{person} {item} {seq}",
                repeat_of="",
                seq=seq,
            )
        )
    report = alignment_report(rows, conditions=CONDITIONS, settings=FEW)
    score = report["scores"][0]
    assert score["krippendorff_alpha"] == pytest.approx(0, abs=0.03)
    assert score["ceiling"]["lower"] == pytest.approx(0.5, abs=0.1)
    assert report["warnings"][0].startswith("400 answers are second ones of a participant to a reference")
    rng.shuffle(rows)
    assert alignment_report(rows, conditions=CONDITIONS, settings=FEW) == report
