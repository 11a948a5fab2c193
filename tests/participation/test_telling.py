"""Decisions reach Prolific once, through its refusals and absences, in the shapes of its API reference."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db.models.functions import Now

from survey_site.participation.models import Payment, StudySession, Submission, Told
from survey_site.participation.services import payments
from survey_site.participation.services.payments import PaymentRefused
from survey_site.participation.services.telling import claim_decision, tell_recruiters
from survey_site.participation.tasks import tell
from survey_site.studies.models import Study
from tests.builders import opened_study
from tests.participation.test_allocation import at_once
from tests.participation.test_payments import finished

pytestmark = pytest.mark.django_db

TOKEN = "a token"
LONG = (
    "Most of the answers came before the images could be seen, in less than a tenth of a second each: "
    + "x" * 9
)


class DecidingProlific:
    """POST /api/v1/submissions/{id}/transition/ to whoever has the token; answers what it is told to."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str]]] = []
        self.status = 200
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = fake.status if self.headers["Authorization"] == f"Token {TOKEN}" else 401
                if status == 200:
                    fake.told.append((self.path, body))
                data = json.dumps({"error": {"title": "as it was told"}} if status >= 400 else {}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def prolific(settings: Any) -> Iterator[DecidingProlific]:
    fake = DecidingProlific()
    settings.PROLIFIC_API_URL = f"http://127.0.0.1:{fake.server.server_port}"
    settings.PROLIFIC_API_TOKEN = TOKEN
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


@pytest.fixture
def study() -> Study:
    return opened_study(n=2, n_catch=0, trials_per_participant=1, recruiter="prolific", base_pay=1)


def handed_in(number: int = 1) -> StudySession:
    person = {"PROLIFIC_PID": f"p{number}", "STUDY_ID": "t", "SESSION_ID": f"s{number}"}
    return finished(recruitment=person)


def waits_no_longer() -> None:
    Payment.objects.update(next_try=Now())


def test_a_decision_is_sent_once_and_noted(study: Study, prolific: DecidingProlific) -> None:
    payments.approve(session_id=handed_in(1).pk)
    payments.reject(session_id=handed_in(2).pk, reason=LONG, category="TOO_QUICKLY")
    assert tell_recruiters() == 2
    assert prolific.told == [
        ("/api/v1/submissions/s1/transition/", {"action": "APPROVE"}),
        (
            "/api/v1/submissions/s2/transition/",
            {"action": "REJECT", "message": LONG, "rejection_category": "TOO_QUICKLY"},
        ),
    ]
    assert list(Payment.objects.values_list("told", flat=True)) == [Told.SENT, Told.SENT]
    assert dict(Submission.objects.values_list("submission_id", "status")) == {
        "s1": "APPROVED",
        "s2": "REJECTED",
    }
    assert tell_recruiters() == 0
    assert len(prolific.told) == 2


def test_the_task_of_the_sweep_sends(study: Study, prolific: DecidingProlific) -> None:
    payments.approve(session_id=handed_in().pk)
    tell()
    assert len(prolific.told) == 1


def test_what_was_sent_cannot_be_changed_from_here(study: Study, prolific: DecidingProlific) -> None:
    session = handed_in()
    payments.approve(session_id=session.pk)
    tell_recruiters()
    with pytest.raises(PaymentRefused, match="Prolific was told that it is approved, which cannot be chang"):
        payments.reject(session_id=session.pk, reason=LONG)


def test_a_short_reason_is_refused_before_prolific_refuses_it(
    study: Study, prolific: DecidingProlific
) -> None:
    with pytest.raises(PaymentRefused, match=r"wants a reason of 100 characters or more.*has 4"):
        payments.reject(session_id=handed_in().pk, reason="slow")
    assert not Payment.objects.exists()


def test_a_worker_killed_while_sending_leaves_it_to_the_next(
    study: Study, prolific: DecidingProlific
) -> None:
    session = handed_in()
    payments.approve(session_id=session.pk)
    assert claim_decision() is not None  # and is killed
    assert tell_recruiters() == 0
    with pytest.raises(PaymentRefused, match="Prolific is just being told that it is approved"):
        payments.reject(session_id=session.pk, reason=LONG)
    waits_no_longer()
    assert tell_recruiters() == 1
    assert len(prolific.told) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_absent_prolific_is_asked_again_later(
    study: Study, prolific: DecidingProlific, status: int
) -> None:
    payments.approve(session_id=handed_in().pk)
    prolific.status = status
    assert tell_recruiters() == 0
    payment = Payment.objects.get()
    assert payment.told == Told.WAITING
    assert f"answered {status}" in payment.told_reason
    prolific.status = 200
    assert tell_recruiters() == 0  # not yet
    waits_no_longer()
    assert tell_recruiters() == 1
    assert Payment.objects.values_list("told", "told_reason").get() == (Told.SENT, "")


def test_a_server_that_is_not_there_is_asked_again_later(
    study: Study, prolific: DecidingProlific, settings: Any
) -> None:
    payments.approve(session_id=handed_in().pk)
    settings.PROLIFIC_API_URL = "http://127.0.0.1:1"
    assert tell_recruiters() == 0
    assert "cannot be reached" in Payment.objects.get().told_reason


def test_a_refusal_is_kept_and_the_decision_can_be_made_again(
    study: Study, prolific: DecidingProlific
) -> None:
    session = handed_in()
    payments.approve(session_id=session.pk)
    prolific.status = 400
    assert tell_recruiters() == 0
    payment = Payment.objects.get()
    assert payment.told == Told.REFUSED
    assert "answered 400" in payment.told_reason
    waits_no_longer()
    assert tell_recruiters() == 0
    prolific.status = 200
    assert payments.approve(session_id=session.pk) is True
    assert tell_recruiters() == 1


def test_without_a_token_or_a_submission_it_is_recorded_here_only(study: Study, settings: Any) -> None:
    settings.PROLIFIC_API_TOKEN = ""
    payments.reject(session_id=handed_in().pk, reason="slow")
    settings.PROLIFIC_API_TOKEN = TOKEN
    assert tell_recruiters() == 0
    assert Payment.objects.get().told == Told.RECORDED
    nameless = finished(recruitment={"PROLIFIC_PID": "q", "STUDY_ID": "t"})
    payments.approve(session_id=nameless.pk)
    assert Payment.objects.get(session=nameless).told == Told.RECORDED


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_send_each_decision_once(broker: object, prolific: DecidingProlific) -> None:
    opened_study(n=2, n_catch=0, trials_per_participant=1, recruiter="prolific")
    for number in range(6):
        payments.approve(session_id=handed_in(number).pk)
    assert sum(at_once(4, lambda _: tell_recruiters())) == 6
    assert sorted(path for path, _ in prolific.told) == [
        f"/api/v1/submissions/s{number}/transition/" for number in range(6)
    ]
