"""Mails: written once for what happened, sent once, through absent servers and kills."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from aiosmtpd.controller import Controller
from django.conf import settings as site_settings
from django.contrib.auth.models import User
from django.core import mail
from django.db.models.functions import Now

from survey_site.access.models import Notice, Role
from survey_site.access.notices import claim_notice, send_notices, write_notice
from survey_site.analysis.models import Observation
from survey_site.console.notices import notify
from survey_site.console.tasks import notify as task
from survey_site.participation.models import StudySession
from survey_site.stimuli import services
from survey_site.stimuli.models import IRIJob
from survey_site.studies.models import Study
from survey_site.studies.services import open_study
from tests.analysis.answered_study import answered_study
from tests.builders import claim, found, member, opened_study, queued_job, researcher
from tests.participation.test_allocation import at_once
from tests.participation.test_payments import finished

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mail_is_set_up(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1"
    settings.PUBLIC_URL = "https://survey.lab.org"


def sent() -> list[tuple[str, list[str]]]:
    return [(str(one.subject), one.to) for one in mail.outbox]


def full_study() -> Study:
    study = opened_study(n=2, n_catch=0, trials_per_participant=1, quota=2)
    member(Role.OWNER, study)
    member(Role.EDITOR, study)
    for _ in range(2):
        finished()
    return study


# What is told to whom ------------------------------------------------------------------------------------


def test_a_full_quota_is_told_once_to_the_owners() -> None:
    study = opened_study(n=2, n_catch=0, trials_per_participant=1, quota=2)
    member(Role.OWNER, study, name="olga")
    member(Role.OWNER, study, name="otto")
    member(Role.EDITOR, study)
    finished()
    finished(mode="pilot")
    assert notify() == 0
    finished()
    assert [notify(), notify()] == [1, 0]
    assert sent() == [("Faces: the quota of 2 is full", ["olga@example.org", "otto@example.org"])]
    assert "https://survey.lab.org/admin/live/faces/" in mail.outbox[0].body


def test_a_larger_quota_is_told_of_again() -> None:
    study = full_study()
    notify()
    Study.objects.filter(pk=study.pk).update(status="paused")
    Study.objects.filter(pk=study.pk).update(quota=3)
    open_study(study=Study.objects.get(pk=study.pk))
    assert notify() == 0
    finished()
    assert notify() == 1
    assert [subject for subject, _ in sent()] == [
        "Faces: the quota of 2 is full",
        "Faces: the quota of 3 is full",
    ]


def test_a_job_with_failures_is_told_to_whoever_queued_it() -> None:
    cleo = researcher("cleo")
    job = queued_job(2, created_by=cleo)
    lease = claim()
    iris = list(lease.chunk.iris.select_related("layer__network"))
    services.record_iri(lease=lease, found=found(iris[0]))
    services.fail_chunk(lease=lease, reason="Traceback\nValueError: odd weights", can_pass=False)
    assert IRIJob.objects.get().status == "partly_finished"
    assert [notify(), notify()] == [1, 0]
    assert sent() == [(f"IRI job {job}: partly finished", ["cleo@example.org"])]
    assert "1 of 2 found, 1 missing" in mail.outbox[0].body
    assert f"https://survey.lab.org/admin/stimuli/irijob/{job.pk}/change/" in mail.outbox[0].body


def test_a_job_that_finished_or_that_nobody_queued_is_not_told_of() -> None:
    queued_job(1, slug="nobody")
    services.fail_chunk(lease=claim(), reason="odd", can_pass=False)
    job = queued_job(1, slug="well", created_by=researcher("cleo"))
    lease = claim()
    services.record_iri(lease=lease, found=found(job.iris.select_related("layer__network").get()))
    services.finish_chunk(lease=lease)
    assert set(IRIJob.objects.values_list("status", flat=True)) == {"failed", "finished"}
    assert notify() == 0


def test_an_observer_that_cannot_judge_is_told_to_the_owners() -> None:
    study = answered_study().study
    member(Role.OWNER, study)
    given = {"study": study, "finished_at": Now()}
    Observation.objects.create(observer="ssim", state="done", **given)
    Observation.objects.create(observer="lpips-vgg", state="unavailable", reason="no weights", **given)
    assert [notify(), notify()] == [1, 0]
    [(subject, to)] = sent()
    assert (subject, to) == ("Faces: LPIPS vgg on Faces is unavailable", ["owner@example.org"])
    assert "no weights" in mail.outbox[0].body


def test_old_news_are_not_told() -> None:
    full_study()
    StudySession.objects.update(finished_at=Now() - timedelta(days=2))
    assert notify() == 0


def test_nobody_without_an_address_or_a_login_is_written_to() -> None:
    full_study()
    User.objects.filter(username="owner").update(email="")
    assert notify() == 0
    User.objects.filter(username="owner").update(email="o@example.org", is_active=False)
    assert notify() == 0
    assert not Notice.objects.exists()
    User.objects.filter(username="owner").update(is_active=True)
    assert notify() == 1


def test_without_a_mail_server_nothing_is_written(settings: Any) -> None:
    full_study()
    settings.EMAIL_URL = ""
    task()
    write_notice(key="k", recipients=["a@example.org"], subject="s", body="b")
    assert send_notices() == 0
    assert mail.outbox == []
    assert Notice.objects.count() == 1  # the one that this test wrote itself


def test_a_name_with_a_line_break_adds_no_header() -> None:
    write_notice(key="k", recipients=["a@example.org"], subject="Faces\r\nBcc: all@lab.org", body="b")
    assert send_notices() == 1
    assert mail.outbox[0].subject == "Faces Bcc: all@lab.org"
    assert mail.outbox[0].bcc == []


# Sending -------------------------------------------------------------------------------------------------


class Sink:
    """A mail server that keeps what it is given, or refuses."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.taken.append(envelope.content.decode())
        return self.answer


@pytest.fixture
def sink(settings: Any) -> Iterator[Sink]:
    handler = Sink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    yield handler
    controller.stop()


def written(n: int = 1) -> None:
    for number in range(n):
        write_notice(key=f"k{number}", recipients=["a@example.org"], subject=f"Müller {number}", body="b")


def waits_no_longer() -> None:
    Notice.objects.update(next_try=Now() - timedelta(seconds=1))


def test_a_real_server_is_given_the_mail(sink: Sink) -> None:
    full_study()
    assert notify() == 1
    [text] = sink.taken
    assert "Subject: Faces: the quota of 2 is full" in text
    assert "To: owner@example.org" in text
    assert "Auto-Submitted: auto-generated" in text
    assert Notice.objects.get().sent_at is not None


def test_a_server_that_refuses_or_is_away_is_tried_again(sink: Sink, settings: Any) -> None:
    written()
    sink.answer = "451 not now"
    assert [send_notices(), send_notices()] == [0, 0]
    assert "451" in Notice.objects.get().failure
    waits_no_longer()
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert send_notices() == 0
    assert "ConnectionRefusedError" in Notice.objects.get().failure
    waits_no_longer()
    settings.EMAIL_PORT, sink.answer = port, "250 OK"
    assert [send_notices(), send_notices()] == [1, 0]
    assert len(sink.taken) == 1
    assert Notice.objects.values_list("attempts", "failure").get() == (3, "")


def test_after_eight_attempts_it_is_given_up(sink: Sink) -> None:
    written()
    sink.answer = "550 never"
    for _ in range(10):
        waits_no_longer()
        send_notices()
    assert Notice.objects.get().attempts == 8


@pytest.mark.django_db(transaction=True)
def test_senders_at_once_send_each_mail_once(sink: Sink) -> None:
    written(6)
    assert sum(at_once(4, lambda _: send_notices())) == 6
    assert len(sink.taken) == len(set(sink.taken)) == 6


@pytest.mark.django_db(transaction=True)
def test_those_who_notice_at_once_write_one() -> None:
    given: dict[str, Any] = {"key": "k", "recipients": ["a@example.org"], "subject": "s", "body": "b"}
    assert sorted(at_once(4, lambda _: write_notice(**given))) == [False] * 3 + [True]


def test_a_claimed_notice_is_left_alone_until_its_lease_ends(sink: Sink) -> None:
    written()
    assert claim_notice() is not None
    assert send_notices() == 0
    waits_no_longer()
    assert send_notices() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_while_it_sends_loses_no_mail(sink: Sink) -> None:
    written()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call, and never says a word
        command = "from survey_site.access.notices import send_notices; send_notices()"
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "shell", "-c", command],
            cwd=site_settings.BASE_DIR,
            env=os.environ
            | {"DATABASE_URL": database_url(), "EMAIL_URL": f"smtp://127.0.0.1:{silent.getsockname()[1]}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            silent.settimeout(120)
            silent.accept()
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    assert Notice.objects.values_list("attempts", "sent_at").get() == (1, None)
    assert send_notices() == 0  # its lease still runs
    waits_no_longer()
    assert send_notices() == 1
    assert len(sink.taken) == 1


def database_url() -> str:
    """Of the tests' own database."""
    given = site_settings.DATABASES["default"]
    login = f"{quote(given['USER'])}:{quote(given['PASSWORD'])}"
    return f"postgres://{login}@{quote(given['HOST'], safe='')}:{given['PORT']}/{given['NAME']}"
