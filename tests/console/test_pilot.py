"""A study is tried from its page: previewed on one click, piloted by bots over the real API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as site_settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from survey_site.access.models import AuditEvent
from survey_site.analysis.services import score_study
from survey_site.participation.models import Mode, PilotRun, PilotState, SessionState, StudySession
from survey_site.participation.services import pilots
from survey_site.studies.models import Study
from survey_site.studies.services import close_study, pilot_study
from tests.builders import draft_study, logged_in, opened_study, superuser

PAGE = "/admin/builder/faces/pilot/"


@pytest.fixture
def client(db: None) -> Client:
    return logged_in(superuser())


@pytest.fixture
def bots_site(live_server: LiveServer, broker: Any, settings: Any) -> LiveServer:
    settings.PUBLIC_URL = live_server.url
    return live_server


def rings() -> int:
    with redis.Redis.from_url(site_settings.CELERY_BROKER_URL) as broker:
        return int(broker.llen(site_settings.CELERY_TASK_DEFAULT_QUEUE))


def lose_rings() -> None:
    with redis.Redis.from_url(site_settings.CELERY_BROKER_URL) as broker:
        broker.flushdb()


@pytest.mark.django_db(transaction=True)
def test_bots_sent_from_the_page_are_pilots_and_nothing_else(bots_site: LiveServer) -> None:
    client = logged_in(superuser())
    study = draft_study(n=6, n_catch=1)
    assert "takes no pilots now" in client.get(PAGE).content.decode()
    assert "Version 1 takes pilots now." in client.post(f"{PAGE}start/", follow=True).content.decode()
    sent = client.post(f"{PAGE}bots/", {"n_bots": 8, "p_target": 0.9}, follow=True)
    assert "The bots are on their way." in sent.content.decode()
    assert rings() == 1
    pilots.run_pilots()
    run = PilotRun.objects.get()
    assert (run.state, run.n_finished, run.reason) == (PilotState.DONE, 8, "")
    assert run.asked_by == User.objects.get()
    assert set(StudySession.objects.values_list("mode", "state")) == {(Mode.PILOT, SessionState.FINISHED)}
    assert score_study(study, Mode.REAL) == []
    (score,) = score_study(study, Mode.PILOT)
    assert score.n == 48
    assert score.interval("twoway").low <= 0.9 <= score.interval("twoway").high
    live = client.get(PAGE, headers={"X-Live": "1"}).content.decode()
    assert "8 of 8 · done" in live
    assert AuditEvent.objects.filter(action="pilot with bots").count() == 1
    pilots.run_pilots()
    assert StudySession.objects.count() == 8


@pytest.mark.django_db(transaction=True)
def test_a_long_run_takes_turns_with_the_other_housekeeping(bots_site: LiveServer, monkeypatch: Any) -> None:
    monkeypatch.setattr(pilots, "TURN_SECONDS", 0.0)
    study = opened_study(n=2, n_catch=0)
    run = pilots.ask_for_bots(study=study, n=3, p_target=1.0)
    lose_rings()
    pilots.run_pilots()
    run.refresh_from_db()
    assert (run.state, run.n_finished, rings()) == (PilotState.WAITING, 0, 1)
    monkeypatch.setattr(pilots, "TURN_SECONDS", 60.0)
    pilots.run_pilots()
    run.refresh_from_db()
    assert (run.state, run.n_finished) == (PilotState.DONE, 3)


@pytest.mark.django_db(transaction=True)
def test_a_lost_worker_or_ring_costs_time_and_no_bot(bots_site: LiveServer) -> None:
    run = pilots.ask_for_bots(study=opened_study(n=2, n_catch=0), n=2, p_target=1.0)
    lose_rings()
    pilots.sweep_pilots()
    pilots.sweep_pilots()
    assert rings() == 1
    PilotRun.objects.update(
        state=PilotState.RUNNING, n_finished=1, attempts=1, heard_at=timezone.now() - timedelta(minutes=2)
    )
    pilots.run_pilots()
    run.refresh_from_db()
    assert (run.state, run.n_finished, run.attempts) == (PilotState.DONE, 2, 2)
    assert StudySession.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_under_way_is_not_taken_twice(bots_site: LiveServer) -> None:
    pilots.ask_for_bots(study=opened_study(n=2, n_catch=0), n=2, p_target=1.0)
    PilotRun.objects.update(state=PilotState.RUNNING, heard_at=timezone.now())
    pilots.run_pilots()
    assert not StudySession.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broken", ["closed", "address"])
def test_what_stops_the_bots_is_said(bots_site: LiveServer, settings: Any, broken: str) -> None:
    client = logged_in(superuser())
    study = opened_study(n=2, n_catch=0)
    pilots.ask_for_bots(study=study, n=2, p_target=1.0)
    if broken == "closed":
        close_study(study=study)
    else:
        settings.PUBLIC_URL = "http://127.0.0.1:9"
    pilots.run_pilots()
    run = PilotRun.objects.get()
    assert run.state == PilotState.FAILED
    assert ("study_closed" if broken == "closed" else "refused") in run.reason
    assert run.reason[:30] in client.get(PAGE).content.decode().replace("&quot;", '"')


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"n_bots": 0, "p_target": 0.5}, "greater than or equal to 1"),
        ({"n_bots": 501, "p_target": 0.5}, "less than or equal to 500"),
        ({"n_bots": 5, "p_target": 1.1}, "less than or equal to 1"),
        ({"n_bots": "many", "p_target": "nan"}, "Enter a whole number"),
    ],
)
def test_bots_that_cannot_be_are_refused_beside_the_field(
    client: Client, form: dict[str, Any], said: str
) -> None:
    opened_study(n=2, n_catch=0)
    assert said in client.post(f"{PAGE}bots/", form).content.decode()
    assert not PilotRun.objects.exists()


@pytest.mark.django_db
def test_bots_go_where_pilots_can_and_one_lot_at_a_time(client: Client) -> None:
    study = draft_study(n=2, n_catch=0)

    def send() -> str:
        return client.post(f"{PAGE}bots/", {"n_bots": 3, "p_target": 1}, follow=True).content.decode()

    assert "the study is draft: only a pilot or an open study takes pilots" in send()
    pilot_study(study=study)
    assert "The bots are on their way." in send()
    assert "bots that were sent before are still at it" in send()
    assert PilotRun.objects.count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        PilotRun.objects.update(n_finished=4)


@pytest.mark.django_db
def test_what_is_missing_is_said_instead(client: Client) -> None:
    study = draft_study(n=2)
    study.conditions.all().delete()
    page = client.get(PAGE).content.decode()
    assert "the study has no conditions" in page
    assert "Preview as participant" not in page
    refused = client.post(f"{PAGE}start/", follow=True).content.decode()
    assert "The study cannot be piloted: the study has no conditions" in refused
    assert Study.objects.get().status == "draft"


@pytest.mark.django_db
def test_the_preview_is_one_click_away(client: Client) -> None:
    draft_study(n=2)
    assert 'href="/admin/preview/faces/"' in client.get(PAGE).content.decode()
    assert client.get("/admin/preview/faces/")["Location"].startswith("/s/faces/?mode=preview&ticket=")
