"""The next answer in one call: only where it is plainly that, and stored as by the long way."""

from typing import Any
from uuid import UUID

import pytest

from survey_site.participation.log_body import read_entries
from survey_site.participation.models import LogEntry, Response, SessionState, StudySession
from survey_site.participation.services.next_answer import record_next
from survey_site.participation.tokens import token_hash
from tests.builders import opened_study
from tests.participation.test_allocation import at_once
from tests.participation.visitor import Visitor, counts, event, response, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor() -> Visitor:
    """One whose log has begun, so that the session is running."""
    opened_study(n=4, n_catch=0)
    visitor = running()
    assert visitor.log(event(1)).status_code == 200
    return visitor


def is_taken(visitor: Visitor, *entries: Any) -> bool:
    return record_next(token_hash(visitor.token), read_entries({"entries": list(entries)})) is not None


def facts(presentation: str) -> dict[str, Any]:
    (row,) = Response.objects.filter(presentation_id=UUID(presentation)).values()
    return {name: value for name, value in row.items() if name not in ("id", "presentation_id", "entry_id")}


def test_it_is_stored_as_by_the_long_way(visitor: Visitor) -> None:
    first, second = visitor.presentations()[:2]
    assert is_taken(visitor, response(2, first, 1))
    assert visitor.log(response(3, second, 1), event(4)).json()["next_seq"] == 5
    one, other = facts(first["id"]), facts(second["id"])
    differing = {"reference_id", "option_id", "trial_index"}
    assert {name: one[name] for name in one if name not in differing} == {
        name: other[name] for name in other if name not in differing
    }
    entry = LogEntry.objects.get(seq=2)
    assert (entry.kind, entry.payload) == ("response", response(2, first, 1)["payload"])
    session = visitor.session
    assert (session.state, session.next_seq, session.last_seq) == (SessionState.RUNNING, 5, 4)
    assert session.last_seen_at is not None


def test_what_is_not_plainly_the_next_answer_is_left_alone(
    visitor: Visitor, subtests: pytest.Subtests
) -> None:
    first, second = visitor.presentations()[:2]
    assert is_taken(visitor, response(2, first))
    before = counts()
    stranger = running()
    cases = {
        "a gap before it": [response(4, second)],
        "stored already": [response(2, first)],
        "its number is taken": [response(2, second)],
        "the presentation is answered": [response(3, first)],
        "of another session": [response(3, stranger.presentations()[0])],
        "no such option": [response(3, second, 7)],
        "shown twice": [response(3, second, attempt=2)],
        "an event": [event(3)],
        "two entries": [response(3, second), event(4)],
    }
    before = counts()
    for name, entries in cases.items():
        with subtests.test(name):
            assert not is_taken(visitor, *entries)
            assert counts() == before
    assert visitor.session.next_seq == 3


@pytest.mark.parametrize("state", [one for one in SessionState.values if one != SessionState.RUNNING])
def test_a_session_that_is_not_running_is_left_alone(visitor: Visitor, state: str) -> None:
    shown = visitor.presentations()[0]
    why = "practice" if state == SessionState.SCREENED_OUT else ""
    StudySession.objects.update(state=state, screened_out_by=why)
    assert not is_taken(visitor, response(2, shown))
    assert Response.objects.count() == 0


def test_a_token_that_was_replaced_is_not_taken_though_it_was_known(visitor: Visitor) -> None:
    first, second = visitor.presentations()[:2]
    assert is_taken(visitor, response(2, first))
    StudySession.objects.update(token_hash=token_hash("another"))
    assert not is_taken(visitor, response(3, second))
    assert visitor.log(response(3, second)).status_code == 401
    assert Response.objects.count() == 1


def test_practice_goes_the_long_way_since_its_answers_are_judged() -> None:
    opened_study(n=2, n_catch=0, n_practice=1, practice_pass=1)
    visitor = running()
    visitor.log(event(1))
    practice = visitor.presentations()[0]
    assert not is_taken(visitor, response(2, practice))
    assert practice["id"] in visitor.log(response(2, practice)).json()["feedback"]


@pytest.mark.django_db(transaction=True)
def test_the_next_answer_posted_by_six_at_once_is_stored_once(broker: object) -> None:
    opened_study(n=2, n_catch=0)
    visitor = running()
    assert visitor.log(event(1)).status_code == 200
    entry = response(2, visitor.presentations()[0])
    answers = at_once(6, lambda _: int(Visitor(token=visitor.token).log(entry).status_code))
    assert answers == [200] * 6
    assert (LogEntry.objects.count(), Response.objects.count()) == (2, 1)
