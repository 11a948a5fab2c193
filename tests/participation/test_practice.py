"""Practice: feedback from the server, a pass rule, and an end of its own for those who do not pass."""

from typing import Any

import pytest

from survey_site.participation.bots import answer_keys
from survey_site.participation.models import LogEntry, Response, SessionState
from tests.builders import opened_study
from tests.participation.visitor import Visitor, counts, response, running

pytestmark = pytest.mark.django_db


def entry(seq: int, shown: dict[str, Any], *, right: bool = True) -> dict[str, Any]:
    answer = answer_keys([shown["id"]])[shown["id"]].positions[0]
    return response(seq, shown, answer if right else 1 - answer)


def rounds(visitor: Visitor) -> list[list[dict[str, Any]]]:
    practice = [shown for shown in visitor.presentations() if shown["feedback"]]
    blocks = sorted({shown["block"] for shown in practice})
    return [[shown for shown in practice if shown["block"] == block] for block in blocks]


def rest(visitor: Visitor) -> list[dict[str, Any]]:
    return [shown for shown in visitor.presentations() if not shown["feedback"]]


@pytest.fixture
def visitor() -> Visitor:
    opened_study(
        n=3,
        n_catch=0,
        n_practice=2,
        practice_pass=2,
        practice_rounds=2,
        completion_code="DONE",
        screened_out_code="OUT",
    )
    return running()


def test_the_server_says_what_was_right_and_says_it_again_on_a_replay(visitor: Visitor) -> None:
    first, second = rounds(visitor)[0]
    entries = [entry(1, first), entry(2, second, right=False)]
    expected = {first["id"]: {"correct": True}, second["id"]: {"correct": False}}
    assert visitor.log(*entries).json()["feedback"] == expected
    assert visitor.log(*entries).json()["feedback"] == expected
    told = [shown["correct"] for shown in visitor.presentations()]
    assert told == [True, False, None, None, None, None, None]


def test_practice_comes_first_in_rounds_and_no_break_parts_it_from_the_rest(visitor: Visitor) -> None:
    shown = visitor.presentations()
    assert [one["block"] for one in shown] == [0, 0, 1, 1, 2, 2, 2]
    assert [one["feedback"] for one in shown] == [True] * 4 + [False] * 3
    assert not any(one["break_before"] for one in shown)
    assert visitor.manifest().json()["settings"]["pass_mark"] == 2


def test_whoever_passes_the_first_round_needs_no_second(visitor: Visitor) -> None:
    asked = [*rounds(visitor)[0], *rest(visitor)]
    assert visitor.log(*[entry(seq, one) for seq, one in enumerate(asked, 1)]).json()["state"] == "running"
    assert visitor.finish(5).json()["completion_code"] == "DONE"


def test_whoever_failed_once_may_try_again(visitor: Visitor) -> None:
    first, second = rounds(visitor)
    entries = [entry(1, first[0]), entry(2, first[1], right=False)]
    assert visitor.log(*entries).json()["state"] == "running"
    assert set(visitor.finish(2).json()["unanswered"]) == {one["id"] for one in [*second, *rest(visitor)]}
    assert visitor.log(entry(3, second[0]), entry(4, second[1])).json()["state"] == "running"
    assert set(visitor.finish(4).json()["unanswered"]) == {one["id"] for one in rest(visitor)}


def test_whoever_passes_in_no_round_is_screened_out_with_a_code_and_frees_the_slot(visitor: Visitor) -> None:
    asked = [one for round_ in rounds(visitor) for one in round_]
    for seq, one in enumerate(asked, 1):
        state = visitor.log(entry(seq, one, right=False)).json()["state"]
    assert state == "screened_out"
    me = visitor.me().json()
    assert (me["state"], me["completion_code"]) == ("screened_out", "OUT")
    slot = visitor.session.slot
    assert running().session.slot == slot


def test_whoever_is_screened_out_answers_nothing_more_but_the_log_is_taken(visitor: Visitor) -> None:
    asked = [one for round_ in rounds(visitor) for one in round_]
    visitor.log(*[entry(seq, one, right=False) for seq, one in enumerate(asked, 1)])
    assert visitor.session.state == SessionState.SCREENED_OUT
    before = counts()
    refused = visitor.log(entry(5, rest(visitor)[0]))
    assert (refused.status_code, refused.json()["code"], refused.json()["seq"]) == (403, "screened_out", 5)
    refused = visitor.finish(4)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_consented")
    assert counts() == before
    assert visitor.log({"seq": 5, "kind": "page", "payload": {"page": "screened_out"}}).status_code == 200
    assert LogEntry.objects.count() == 5


def test_without_a_pass_rule_there_is_one_round_and_nobody_fails() -> None:
    opened_study(n=2, n_catch=0, n_practice=2, practice_rounds=3)
    visitor = running()
    (only,) = rounds(visitor)
    answers = [entry(seq, one, right=False) for seq, one in enumerate(only, 1)]
    assert visitor.log(*answers).json()["state"] == "running"
    assert set(visitor.finish(2).json()["unanswered"]) == {one["id"] for one in rest(visitor)}


def test_practice_is_not_scored() -> None:
    opened_study(n=2, n_catch=0, n_practice=2)
    visitor = running()
    visitor.log(*[entry(seq, one) for seq, one in enumerate(visitor.presentations(), 1)])
    assert (Response.objects.count(), Response.objects.scoreable().count()) == (4, 2)
