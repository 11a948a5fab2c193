"""Prolific's webhooks and its API, spoken to by a local server in the shapes of its API reference."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from survey_site.participation.models import SessionState, StudySession, Submission, WebhookEvent
from survey_site.studies.models import Study
from tests.builders import opened_study
from tests.participation.test_allocation import at_once
from tests.participation.visitor import Visitor, response

pytestmark = pytest.mark.django_db

SECRET = "cGNqFPb6y0RT3XO9"
TOKEN = "a token"


@pytest.fixture(autouse=True)
def secret(settings: Any) -> None:
    settings.PROLIFIC_WEBHOOK_SECRET = SECRET


@pytest.fixture
def study() -> Study:
    return opened_study(
        n=2, n_catch=0, trials_per_participant=1, recruiter="prolific", recruiter_study_id="their-study"
    )


def came(pid: str, submission: str = "") -> Visitor:
    visitor = Visitor()
    person = {"PROLIFIC_PID": pid, "STUDY_ID": "their-study", "SESSION_ID": submission}
    assert visitor.start(recruitment=person).status_code == 201
    assert visitor.consent().status_code == 200
    return visitor


def finished(pid: str, submission: str = "") -> Visitor:
    visitor = came(pid, submission)
    visitor.log(response(1, visitor.presentations()[0]))
    assert visitor.finish(1).json()["complete"] is True
    return visitor


def change(submission: str, status: str) -> dict[str, str]:
    return {
        "resource_id": submission,
        "event_type": "submission.status.change",
        "participant_id": "p",
        "status": status,
    }


def deliver(
    event: object,
    *,
    event_id: str = "event-1",
    at: float | None = None,
    happened: float | None = None,
    secret: str = SECRET,
    **headers: str,
) -> Any:
    """As Prolific sends it; `happened` is X-Timestamp, which no signature covers."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    timestamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    given = {
        "X-Prolific-Request-Signature": base64.b64encode(digest).decode(),
        "X-Prolific-Request-Timestamp": timestamp,
        "X-Event-ID": event_id,
        "X-Timestamp": str(int(happened)) if happened else timestamp,
        **headers,
    }
    return Client(enforce_csrf_checks=True).post(
        "/hooks/prolific/", body, content_type="application/json", headers=given
    )


def state_of(visitor: Visitor) -> str:
    return StudySession.objects.get(pk=visitor.session.pk).state


def test_who_returns_the_place_leaves_it_to_the_next(study: Study) -> None:
    returning = came("p", "s1")
    assert deliver(change("s1", "RETURNED")).json() == {"taken": True}
    assert state_of(returning) == SessionState.DROPPED
    assert Submission.objects.get().status == "RETURNED"
    assert came("q", "s2").session.slot == returning.session.slot


def test_approval_is_noted_and_changes_no_session(study: Study) -> None:
    done = finished("p", "s1")
    deliver(change("s1", "APPROVED"))
    assert Submission.objects.get().status == "APPROVED"
    deliver(change("s1", "RETURNED"), event_id="event-2")
    assert state_of(done) == SessionState.FINISHED


def test_an_event_is_taken_once(study: Study) -> None:
    came("p", "s1")
    assert deliver(change("s1", "RETURNED")).json() == {"taken": True}
    assert deliver(change("s1", "ACTIVE")).json() == {"taken": False}
    assert Submission.objects.get().status == "RETURNED"


def test_a_copy_under_another_id_changes_nothing(study: Study) -> None:
    came("p", "s1")
    now = time.time()
    deliver(change("s1", "ACTIVE"), at=now)
    deliver(change("s1", "AWAITING REVIEW"), event_id="event-2", at=now)
    assert deliver(change("s1", "ACTIVE"), event_id="event-3", at=now).json() == {"taken": False}
    assert Submission.objects.get().status == "AWAITING REVIEW"


@pytest.mark.django_db(transaction=True)
def test_deliveries_at_once_are_taken_once(broker: object) -> None:
    opened_study(n=2, n_catch=0, recruiter="prolific")
    came("p", "s1")
    now = time.time()
    answers = at_once(6, lambda _: deliver(change("s1", "RETURNED"), at=now).json()["taken"])
    assert sorted(answers) == [False] * 5 + [True]
    assert WebhookEvent.objects.count() == 1


def test_an_older_event_that_comes_later_does_not_count(study: Study) -> None:
    came("p", "s1")
    now = time.time()
    deliver(change("s1", "APPROVED"), happened=now)
    deliver(change("s1", "AWAITING REVIEW"), event_id="event-2", happened=now - 60)
    assert Submission.objects.get().status == "APPROVED"
    # X-Timestamp is not signed: it makes no event newer than its signature.
    deliver(change("s1", "REJECTED"), event_id="event-3", at=now - 30, happened=now + 10_000)
    assert Submission.objects.get().status == "APPROVED"


@pytest.mark.parametrize(
    ("forged", "code"),
    [
        ({"secret": "another"}, "invalid_signature"),
        ({"X-Prolific-Request-Signature": ""}, "invalid_signature"),
        ({"X-Prolific-Request-Signature": "näh"}, "invalid_signature"),
        ({"X-Prolific-Request-Signature": "AAAA"}, "invalid_signature"),
        ({"X-Prolific-Request-Timestamp": "1"}, "invalid_signature"),
        ({"at": 1_000_000_000}, "stale_timestamp"),
        ({"at": 99_999_999_999}, "stale_timestamp"),
    ],
)
def test_a_forged_or_stale_webhook_is_refused_and_nothing_changes(
    study: Study, forged: dict[str, Any], code: str
) -> None:
    victim = came("p", "s1")
    answer = deliver(change("s1", "RETURNED"), **forged)
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert state_of(victim) == SessionState.CONSENTED
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize(
    ("event", "headers"),
    [
        (b"no json", {}),
        (b"[]", {}),
        (b"[" * 100_000, {}),
        ({"event_type": "submission.status.change", "resource_id": 7}, {}),
        ({"event_type": "x" * 101, "resource_id": "s"}, {}),
        ({"event_type": "study.status.change", "resource_id": "s"}, {"X-Event-ID": ""}),
        ({"event_type": "study.status.change", "resource_id": "s"}, {"X-Event-ID": "e" * 10_000}),
    ],
)
def test_a_signed_event_of_another_shape_is_refused(event: Any, headers: dict[str, Any]) -> None:
    answer = deliver(event, **headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not WebhookEvent.objects.exists()


def test_events_of_other_kinds_and_other_studies_are_taken_and_change_nothing(study: Study) -> None:
    visitor = came("p", "s1")
    progress = {"event_type": "study.progress.change", "resource_id": "s1"}
    assert deliver(progress).json() == {"taken": True}
    assert deliver(change("unknown", "RETURNED"), event_id="event-2").json() == {"taken": True}
    assert state_of(visitor) == SessionState.CONSENTED


def test_without_a_secret_no_webhook_is_taken(study: Study, settings: Any) -> None:
    settings.PROLIFIC_WEBHOOK_SECRET = ""
    answer = deliver(change("s1", "RETURNED"), secret="")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_configured")


class FakeProlific:
    """GET /api/v1/studies/{id}/submissions/, two a page, to whoever has the token."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.next_page = ""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def list(self, submission: str, pid: str, status: str, code: str | None = None) -> None:
        self.rows.append(
            {
                "id": submission,
                "participant_id": pid,
                "status": status,
                "started_at": "2026-11-25T10:00:00Z",
                "completed_at": None,
                "has_siblings": False,
                "study_code": code,
                "return_requested": None,
            }
        )

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        if request.headers["Authorization"] != f"Token {TOKEN}":
            return self._send(request, 401, {"error": {"title": "Authentication failed"}})
        if path != "/api/v1/studies/their-study/submissions/":
            return self._send(request, 404, {"error": {"title": "Not found"}})
        page = int(query.removeprefix("page=") or 1)
        more = len(self.rows) > 2 * page
        following = f"{self.next_page or self.url + path}?page={page + 1}" if more else None
        body = {
            "results": self.rows[2 * page - 2 : 2 * page],
            "_links": {"self": {"href": self.url + path}, "next": {"href": following}},
            "meta": {"count": len(self.rows)},
        }
        return self._send(request, 200, body)

    def _send(self, request: BaseHTTPRequestHandler, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)


@pytest.fixture
def prolific(settings: Any) -> Iterator[FakeProlific]:
    fake = FakeProlific()
    settings.PROLIFIC_API_URL, settings.PROLIFIC_API_TOKEN = fake.url, TOKEN
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


def reconciled(*words: str) -> str:
    out = io.StringIO()
    call_command("reconcile_prolific", "faces", *words, stdout=out)
    return out.getvalue()


def test_reconciling_takes_over_statuses_and_says_where_both_differ(
    study: Study, prolific: FakeProlific
) -> None:
    finished("a", "s1")
    finished("b", "s2")
    running = came("c", "s3")
    came("d")  # whose link lacked SESSION_ID
    came("e", "s5")
    for submission, pid, status in (
        ("s1", "a", "AWAITING REVIEW"),
        ("s2", "b", "TIMED-OUT"),
        ("s3", "c", "RETURNED"),
        ("s4", "d", "APPROVED"),
        ("s9", "z", "ACTIVE"),
    ):
        prolific.list(submission, pid, status)
    said = reconciled("--dry-run")
    assert not Submission.objects.exclude(status="").exists()
    assert reconciled() == said
    assert [line.strip() for line in said.splitlines()] == [
        "5 submissions on Prolific",
        "4 status changed since we last heard: s1, s2, s3, s4",
        "1 on Prolific, but no session here: s9",
        "1 a session here, but not on Prolific's list: s5",
        "1 finished here, but not handed in on Prolific: s2",
        "1 handed in on Prolific, but not finished here: s4",
    ]
    assert state_of(running) == SessionState.DROPPED
    assert dict(Submission.objects.values_list("submission_id", "status")) == {
        "s1": "AWAITING REVIEW", "s2": "TIMED-OUT", "s3": "RETURNED", "s4": "APPROVED", "s5": "",
    }  # fmt: skip
    assert "0 status changed" in reconciled()
    assert not any(pid in said for pid in ("participant",))


def test_the_token_is_given_to_no_other_server(study: Study, prolific: FakeProlific) -> None:
    for number in range(3):
        prolific.list(f"s{number}", "p", "ACTIVE")
    prolific.next_page = "http://127.0.0.1:1/elsewhere"
    with pytest.raises(CommandError, match="which is not Prolific's API"):
        reconciled()


def test_what_keeps_reconciling_from_working_is_said(
    study: Study, prolific: FakeProlific, settings: Any
) -> None:
    with pytest.raises(CommandError, match=r"answered 404: .*Not found"):
        reconciled("--prolific-study", "another")
    settings.PROLIFIC_API_TOKEN = "wrong"
    with pytest.raises(CommandError, match=r"answered 401: .*Authentication failed"):
        reconciled()
    settings.PROLIFIC_API_TOKEN = ""
    with pytest.raises(CommandError, match="PROLIFIC_API_TOKEN is not set"):
        reconciled()
    settings.PROLIFIC_API_TOKEN, settings.PROLIFIC_API_URL = TOKEN, "http://127.0.0.1:1"
    with pytest.raises(CommandError, match="cannot be reached"):
        reconciled()
    Study.objects.update(recruiter="open")
    with pytest.raises(CommandError, match="'faces' is no study on Prolific; there are: none yet"):
        reconciled()
