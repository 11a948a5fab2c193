"""Every rule keeps and leaves out what it says; rules as JSON; the flow adds up."""

import doctest

import pytest

from survey_site.analysis import exclusions
from survey_site.analysis.exclusions import decide, flow
from survey_site.studies import exclusion_rules
from survey_site.studies.exclusion_rules import (
    RULES,
    CatchRate,
    ExclusionError,
    FocusLoss,
    Incomplete,
    OneSided,
    Researcher,
    Rule,
    SessionFacts,
    StraightLining,
    TooFast,
    Unfinished,
    rules_from_json,
    rules_to_json,
)


def facts(**changes: object) -> SessionFacts:
    return SessionFacts(**{"session": "s", **changes})  # type: ignore[arg-type]


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(exclusions).failed == doctest.testmod(exclusion_rules).failed == 0


@pytest.mark.parametrize(
    ("rule", "kept", "left_out", "reason"),
    [
        (
            CatchRate(),
            {"catch_right": 3, "catch_answered": 4},
            {"catch_right": 2, "catch_answered": 4},
            "2 of 4",
        ),
        (CatchRate(), {}, {"catch_answered": 1}, "0 of 1 catch trials right (0 %), fewer than 75 %"),
        (
            TooFast(),
            {"rts": (100, 500, 500, 500, 500)},
            {"rts": (100, 199.9, 500, 500, 500)},
            "2 of 5 answers faster than 200 ms (median 500 ms)",
        ),
        (TooFast(), {}, {"rts": (1,)}, "1 of 1 answers"),
        (
            StraightLining(longest=4),
            {"places": (0, 0, 0, 1, 0, 0)},
            {"places": (1, 0, 0, 0, 0, 1)},
            "chose the same place 4 times in a row",
        ),
        (
            OneSided(),
            {"places": (0,) * 9 + (1,)},
            {"places": (1,) * 10},
            "chose place 2 in 10 of 10 answers",
        ),
        (OneSided(), {"places": (1,) * 9}, {"places": (0,) * 11 + (1,)}, "chose place 1 in 11 of 12"),
        (
            Incomplete(),
            {"expected": 5, "answered": 5},
            {"expected": 5, "answered": 4},
            "answered 4 of 5 main",
        ),
        (Incomplete(minimum=0.8), {"expected": 5, "answered": 4}, {"expected": 5, "answered": 3}, "3 of 5"),
        (Unfinished(), {}, {"is_finished": False}, "the session did not come to its end"),
        (FocusLoss(), {"focus_lost": 5}, {"focus_lost": 6}, "lost focus 6 times, more than 5"),
        (Researcher(reasons={"s": "a colleague"}), {"session": "t"}, {}, "a colleague"),
    ],
)
def test_a_rule_keeps_and_leaves_out(rule: Rule, kept: dict, left_out: dict, reason: str) -> None:
    assert decide([facts(**kept)], [rule]) == []
    [verdict] = decide([facts(**left_out)], [rule])
    assert (verdict.session, verdict.rule, verdict.version) == ("s", rule.name, 1)
    assert reason in verdict.reason


def test_all_rules_survive_json_and_the_same_rules_give_the_same_text() -> None:
    rules = [rule() for rule in RULES.values()]
    text = rules_to_json(rules)
    assert rules_from_json(text) == rules
    assert rules_to_json(rules_from_json(text)) == text
    assert rules_from_json('[{"minimum": 0.5, "rule": "catch_rate"}]') == [CatchRate(minimum=0.5)]


def test_the_flow_adds_up_though_rules_overlap() -> None:
    rules = [CatchRate(), FocusLoss(), TooFast()]
    sessions = [
        facts(session="a", catch_answered=2, focus_lost=9),
        facts(session="b", focus_lost=9),
        facts(session="c"),
    ]
    counted = flow([s.session for s in sessions], decide(sessions, rules), rules)
    assert (counted.assessed, counted.kept) == (3, 1)
    assert counted.by_rule == {"catch_rate": 1, "focus_loss": 1, "too_fast": 0}
    assert counted.any_rule == {"catch_rate": 1, "focus_loss": 2, "too_fast": 0}
    assert counted.kept + sum(counted.by_rule.values()) == counted.assessed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "rules are not valid JSON"),
        ('{"rule": "catch_rate"}', "rules must be a list of objects"),
        ('[{"rule": "sleepy"}]', "rule is 'sleepy'; it must be one of catch_rate, too_fast"),
        ('[{"rule": "catch_rate", "version": 2}]', "catch_rate: version is 2; this code knows version 1"),
        ('[{"rule": "catch_rate", "max": 1}]', "catch_rate: unknown setting 'max'; it has minimum"),
        ('[{"rule": "catch_rate", "minimum": "1"}]', "catch_rate: minimum is '1'; it must be a number"),
        ('[{"rule": "catch_rate", "minimum": 75}]', "catch_rate: minimum is 75; it must be above 0"),
        ('[{"rule": "too_fast", "minimum_ms": 0}]', "too_fast: minimum_ms is 0; it must be above 0"),
        ('[{"rule": "straight_lining", "longest": 1}]', "longest is 1; it must be 2 or more"),
        ('[{"rule": "focus_loss", "maximum": -1}]', "maximum is -1; it must be 0 or more"),
        ('[{"rule": "researcher", "reasons": {"s": " "}}]', "session s has no reason"),
        ('[{"rule": "researcher", "reasons": 3}]', "reasons is 3; it must be an object of reasons"),
        ('[{"rule": "incomplete"}, {"rule": "incomplete"}]', "rule incomplete occurs more than once"),
    ],
)
def test_rules_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(ExclusionError) as error:
        rules_from_json(text)
    assert message in str(error.value)
