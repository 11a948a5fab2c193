"""The log: each entry stored once, and nothing stored of a request that is refused."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from django.db import connection
from django.db.models.functions import Now

from survey_site.participation.models import LogEntry, Response, StudySession
from tests.builders import opened_study
from tests.participation.visitor import Answer, Visitor, counts, event, response, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor() -> Visitor:
    opened_study(n=3, n_catch=0)
    return running()


def refused(answer: Answer, status: int, code: str, seq: int | None = None) -> str:
    """The detail of an error that must be this one."""
    body = answer.json()
    assert (answer.status_code, body["code"], body.get("seq")) == (status, code, seq), body
    return str(body["detail"])


def test_the_same_entries_again_are_acknowledged_and_stored_once(visitor: Visitor) -> None:
    shown = visitor.presentations()
    entries = [event(1, name="focus"), response(2, shown[0]), response(3, shown[1], 1)]
    first = visitor.log(*entries).json()
    before = counts()
    for again in (entries, entries[1:], list(reversed(entries)), [entries[0], entries[0]]):
        answer = visitor.log(*again)
        assert answer.status_code == 200
        assert answer.json()["next_seq"] == first["next_seq"] == 4
    assert counts() == before


@pytest.mark.parametrize(
    "payload",
    [
        {"x": 1.0},
        {"x": 0.1 + 0.2},
        {"x": 1e16},
        {"x": 1e23},
        {"x": 1.7976931348623157e308},
        {"x": 5e-324},
        {"x": -0.0},
        {"x": 2**53 + 1},
        {"x": 10**40},
        {"x": [None, True, "ü\u2028", {"": []}]},
        {"b": 1, "a": 2},
    ],
    ids=json.dumps,
)
def test_what_came_back_from_the_database_is_the_same_body(visitor: Visitor, payload: dict) -> None:
    assert visitor.log(event(1, **payload)).status_code == 200
    assert visitor.log(event(1, **payload)).status_code == 200
    assert LogEntry.objects.count() == 1


def test_numbers_are_compared_as_numbers_and_truth_as_truth(visitor: Visitor) -> None:
    visitor.log(event(1, x=1))
    assert visitor.log(event(1, x=1.0)).status_code == 200
    assert visitor.log(event(1, x=True)).status_code == 409
    assert visitor.log(event(1, x="1")).status_code == 409
    visitor.log(event(2, x=2**53 + 1))
    assert visitor.log(event(2, x=2**53)).status_code == 409


def test_the_same_seq_with_another_body_is_a_conflict(visitor: Visitor) -> None:
    shown = visitor.presentations()
    visitor.log(event(1, name="focus"), response(2, shown[0], 0))
    before = counts()
    changed = [event(1, name="blur"), {**event(1, name="focus"), "kind": "page"}]
    for entry in changed:
        detail = refused(visitor.log(event(3), entry), 409, "conflict", 1)
        assert detail == "entry 1 was stored before with another body"
    refused(visitor.log(event(3), response(2, shown[0], 1)), 409, "conflict", 2)
    assert counts() == before


def test_one_seq_with_two_bodies_in_one_request_stores_neither(visitor: Visitor) -> None:
    before = counts()
    refused(visitor.log(event(1, x=1), event(1, x=2)), 409, "conflict", 1)
    assert counts() == before


@pytest.mark.parametrize("option", [0, 1])
def test_an_answered_presentation_takes_no_other_answer(visitor: Visitor, option: int) -> None:
    shown = visitor.presentations()
    visitor.log(response(1, shown[0], 0))
    before = counts()
    detail = refused(visitor.log(event(2), response(3, shown[0], option)), 409, "already_answered", 3)
    assert detail == f"presentation {shown[0]['id']} is answered already"
    assert counts() == before
    assert Response.objects.get().entry.seq == 1


def test_two_answers_in_one_request_store_neither(visitor: Visitor) -> None:
    shown = visitor.presentations()
    before = counts()
    refused(visitor.log(response(1, shown[0], 0), response(2, shown[0], 1)), 409, "already_answered", 2)
    assert counts() == before


def test_a_presentation_of_another_session_is_unknown(visitor: Visitor) -> None:
    other = running().presentations()[0]
    before = counts()
    detail = refused(visitor.log(event(1), response(2, other)), 400, "unknown_presentation", 2)
    assert detail == f"presentation '{other['id']}' is not of this session"
    assert counts() == before


def test_a_presentation_that_does_not_exist_is_unknown(visitor: Visitor) -> None:
    refused(
        visitor.log(response(1, {"id": str(StudySession().pk), "position": 0})),
        400,
        "unknown_presentation",
        1,
    )
    assert LogEntry.objects.count() == 0


NULL_DETAIL = "an answer without an option is allowed only when timed_out"


@pytest.mark.parametrize(
    ("changes", "code", "detail"),
    [
        ({"answers": [{"reference": 0, "option": 2}]}, "invalid_option", "option is 2; allowed: 0 to 1"),
        ({"answers": [{"reference": 0, "option": None}]}, "invalid_option", NULL_DETAIL),
        (
            {"answers": [{"reference": 1, "option": 0}]},
            "invalid_reference",
            "answers are for references [1]; wanted: one each for [0]",
        ),
        (
            {"answers": [{"reference": 0, "option": 0}, {"reference": 0, "option": 1}]},
            "invalid_reference",
            "answers are for references [0, 0]; wanted: one each for [0]",
        ),
    ],
)
def test_an_answer_that_does_not_fit_the_trial_stores_nothing(
    visitor: Visitor, changes: dict[str, Any], code: str, detail: str
) -> None:
    shown = visitor.presentations()
    before = counts()
    given = response(2, shown[0])
    given["payload"] |= changes
    assert refused(visitor.log(event(1), given), 400, code, 2) == detail
    assert counts() == before


WRONG: list[dict[str, Any]] = [
    {"answers": []},
    {"answers": [{"reference": 0, "option": "1"}]},
    {"answers": [{"reference": 0, "option": True}]},
    {"answers": [{"reference": 0, "option": 0.5}]},
    {"answers": [{"reference": 0, "option": -1}]},
    {"answers": [{"reference": 0}]},
    {"answers": {"0": 0}},
    {"answers": [[0, 0]]},
    {"presentation": "first"},
    {"presentation": None},
    {"rt": -1},
    {"rt": "nan"},
    {"rt": "512"},
    {"rt": 1e12},
    {"rt_raw_ms": True},
    {"refresh_hz": "60"},
    {"frames_dropped": 1.5},
    {"frames_dropped": -1},
    {"focus_lost": 10**30},
    {"timed_out": "yes"},
    {"timed_out": 1},
    {"confidence": 7},
    {"input": "foot"},
    {"trial_type": "a\0b"},
    {"trial_type": "x" * 61},
    {"trial_type": {"a": 1}},
]


IMPOSSIBLE: list[dict[str, Any]] = [
    {"rt": None},
    {"rt_raw_ms": None},
    {"rt": 0, "rt_raw_ms": 0},
    {"rt": 500, "rt_raw_ms": 9999},
    {"rt": 80_000_000, "rt_raw_ms": 80_000_000},
    {"timed_out": True},
    {"timed_out": True, "rt": None, "rt_raw_ms": None, "answers": [{"reference": 0, "option": None}]},
]
TOO_LATE: list[dict[str, Any]] = [
    {"rt": 60_000, "rt_raw_ms": 60_000},
    {"rt": 3_501, "rt_raw_ms": 3_501},
    {"timed_out": True, "answers": [{"reference": 0, "option": None}]},
]


@pytest.mark.parametrize(("limit", "wrong"), [(None, IMPOSSIBLE), (2500, TOO_LATE)])
def test_an_impossible_reaction_time_stores_nothing(
    limit: int | None, wrong: list[dict[str, Any]], subtests: pytest.Subtests
) -> None:
    opened_study(n=2, time_limit_ms=limit)
    visitor = running()
    shown = visitor.presentations()
    visitor.log(response(1, shown[0]))  # under way, so that both roads to the database are tried
    before = counts()
    for changes in wrong:
        for entries in ([response(2, shown[1], **changes)], [response(2, shown[1], **changes), event(3)]):
            with subtests.test(json.dumps(changes), n=len(entries)):
                refused(visitor.log(*entries), 400, "impossible_reaction_time", seq=2)
                assert counts() == before


def test_a_slow_answer_is_taken_if_the_session_has_lasted_so_long() -> None:
    opened_study(n=2)
    visitor = running()
    slow = response(1, visitor.presentations()[0], rt=900_000, rt_raw_ms=900_000.2)
    said = refused(visitor.log(slow), 400, "impossible_reaction_time", seq=1)
    assert said.startswith("rt is 900000 ms; the session has lasted ")
    StudySession.objects.update(consented_at=Now() - timedelta(minutes=15))
    assert visitor.log(slow).status_code == 200


def test_a_gap_that_no_overtaking_makes_stores_nothing(visitor: Visitor) -> None:
    before = counts()
    detail = refused(visitor.log(event(201)), 409, "sequence_gap", seq=201)
    assert detail == "entry 201 leaves a gap; wanted next: 1, allowed: up to 200"
    assert counts() == before
    assert visitor.log(event(200)).json()["next_seq"] == 1  # overtook those before it
    assert visitor.log(*map(event, range(1, 101))).json()["next_seq"] == 101
    assert visitor.log(event(300)).status_code == 200


def test_a_response_of_the_wrong_kind_stores_nothing(visitor: Visitor, subtests: pytest.Subtests) -> None:
    shown = visitor.presentations()
    before = counts()
    for changes in WRONG:
        with subtests.test(json.dumps(changes)):
            given = response(2, shown[0])
            given["payload"] |= changes
            detail = refused(visitor.log(event(1), given), 400, "invalid")
            assert next(iter(changes)) in detail or "payload" in detail
            assert counts() == before


BODIES: list[tuple[str | bytes, int, str]] = [
    ("no json", 400, "parse_error"),
    (b"\xff\xfe{", 400, "parse_error"),
    ("", 400, "invalid"),
    ('{"entries": [{"seq": 1, "kind": "event", "payload": {"x": NaN}}]}', 400, "parse_error"),
    ('{"entries": [{"seq": 1, "kind": "event", "payload": {"x": -Infinity}}]}', 400, "parse_error"),
    ('{"entries": [{"seq": 1, "kind": "event", "payload": {"x": 1e999}}]}', 400, "invalid"),
    (
        '{"entries": [{"seq": 1, "kind": "event", "payload": {"x": ' + "9" * 5000 + "}}]}",
        400,
        "parse_error",
    ),
    ('{"entries": [{"seq": 1, "kind": "event", "payload": {"x": "a\\u0000b"}}]}', 400, "invalid"),
    ('{"entries": [{"seq": 1, "kind": "event", "payload": {"a\\u0000b": 1}}]}', 400, "invalid"),
    ('{"entries": [{"seq": 1, "kind": "event", "payload": {"x": "\\ud800"}}]}', 400, "invalid"),
    (
        '{"entries": [{"seq": 1, "kind": "event", "payload": {"x": ' + "[" * 500 + "]" * 500 + "}}]}",
        400,
        "invalid",
    ),
    ("[" * 100_000, 400, "parse_error"),
    ("[]", 400, "invalid"),
    ("null", 400, "invalid"),
    ('{"entries": []}', 400, "invalid"),
    ('{"entries": [5]}', 400, "invalid"),
    ('{"entries": {"seq": 1}}', 400, "invalid"),
    ('{"entries": [{"seq": 0, "kind": "event", "payload": {}}]}', 400, "invalid"),
    ('{"entries": [{"seq": "1", "kind": "event", "payload": {}}]}', 400, "invalid"),
    ('{"entries": [{"seq": 1, "kind": "thought", "payload": {}}]}', 400, "invalid"),
    ('{"entries": [{"seq": 1, "kind": "event", "payload": [1]}]}', 400, "invalid"),
    ('{"entries": [{"seq": 1, "kind": "event"}]}', 400, "invalid"),
]


def test_a_body_that_cannot_be_stored_stores_nothing(visitor: Visitor, subtests: pytest.Subtests) -> None:
    before = counts()
    for body, status, code in BODIES:
        with subtests.test(str(body)[:100]):
            refused(visitor.call("POST", "/api/sessions/me/log/", body), status, code)
            assert counts() == before


def test_words_that_look_like_a_nul_are_only_words(visitor: Visitor) -> None:
    assert visitor.log(event(1, text="a\\u0000b \\ud800")).status_code == 200


def test_a_hundred_entries_are_taken_and_no_more(visitor: Visitor) -> None:
    assert visitor.log(*[event(seq) for seq in range(1, 101)]).json()["next_seq"] == 101
    refused(visitor.log(*[event(seq) for seq in range(101, 202)]), 400, "invalid")
    assert LogEntry.objects.count() == 100


def test_a_payload_that_is_too_large_is_refused(visitor: Visitor) -> None:
    assert visitor.log(event(1, x="y" * 15_000)).status_code == 200
    detail = refused(visitor.log(event(2), event(3, x="y" * 16_000)), 400, "invalid")
    assert detail.endswith("16009 characters; at most 16000 are taken")
    assert LogEntry.objects.count() == 1


def test_a_request_that_is_too_large_is_refused_before_it_is_read_to_its_end(visitor: Visitor) -> None:
    body = json.dumps({"entries": [event(1, x="y" * 3_000_000)]})
    detail = refused(visitor.call("POST", "/api/sessions/me/log/", body), 413, "too_large")
    assert detail == "the request is too large; at most 2,621,440 bytes are taken"
    assert LogEntry.objects.count() == 0


def test_other_formats_than_json_are_not_read(visitor: Visitor) -> None:
    answer = visitor.client.post(
        "/api/sessions/me/log/", {"entries": "x"}, headers={"Authorization": f"Session {visitor.token}"}
    )
    refused(answer, 415, "unsupported_media_type")


def test_a_time_out_is_an_answer_without_an_option() -> None:
    opened_study(n=2, time_limit_ms=2500)
    visitor = running()
    shown = visitor.presentations()
    late = response(1, shown[0], None, timed_out=True, rt=None, rt_raw_ms=None)
    assert visitor.log(late).status_code == 200
    stored = Response.objects.get()
    assert (stored.option, stored.timed_out, stored.rt) == (None, True, None)
    assert visitor.presentations()[0]["answered"] is True


def test_nothing_is_logged_before_consent() -> None:
    opened_study(n=2)
    visitor = Visitor()
    visitor.start()
    detail = refused(visitor.log(event(1)), 403, "not_consented")
    assert detail == "this session is created; it takes no log"
    refused(visitor.finish(0), 403, "not_consented")
    refused(visitor.manifest(), 403, "not_consented")
    assert LogEntry.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_an_entry_posted_by_eight_at_once_is_stored_once(broker: object) -> None:
    opened_study(n=2, n_catch=0)
    visitor = running()
    entry = response(1, visitor.presentations()[0])
    together = threading.Barrier(8)

    def post(_: int) -> tuple[int, list[int]]:
        try:
            together.wait()
            answer = Visitor(token=visitor.token).log(entry)
            return answer.status_code, answer.json()["acknowledged"]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(8)))
    assert answers == [(200, [1])] * 8
    assert (LogEntry.objects.count(), Response.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_kept_connection_that_broke_costs_no_answer(broker: object) -> None:
    opened_study(n=2, n_catch=0)
    visitor = running()
    shown = visitor.presentations()[0]
    connection.ensure_connection()
    ours = connection.connection.info.backend_pid
    with closing(psycopg2.connect(**connection.get_connection_params())) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [ours])
    assert visitor.log(response(1, shown)).status_code == 200
    assert (LogEntry.objects.count(), Response.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_of_different_answers_posted_at_once_one_is_stored(broker: object) -> None:
    opened_study(n=2, n_catch=0)
    visitor = running()
    shown = visitor.presentations()[0]
    together = threading.Barrier(6)

    def post(number: int) -> int:
        try:
            together.wait()
            status: int = (
                Visitor(token=visitor.token).log(response(number + 1, shown, number % 2)).status_code
            )
            return status
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(post, range(6)))
    assert statuses == [200] + [409] * 5
    assert (LogEntry.objects.count(), Response.objects.count()) == (1, 1)
