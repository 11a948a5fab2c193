"""Health, readiness, metrics, and the page that says in words what is wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now
from django.test import Client

from survey_site.console import health_views
from survey_site.console.system_status import Finding, State, findings
from survey_site.stimuli.models import IRIChunk, Tally, Worker
from survey_site.stimuli.services import fail_chunk, sweep
from survey_site.stimuli.services.tallies import SWEEPS, count
from tests.builders import claim, finished_job, logged_in, opened_study, queued_job, researcher, superuser
from tests.participation.visitor import response, running
from tests.stimuli.conftest import broker

pytestmark = pytest.mark.django_db

__all__ = ["broker"]


def finding(part: str) -> Finding:
    (found,) = [one for one in findings() if one.part == part]
    return found


def test_health_says_that_the_process_answers_even_without_a_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone() -> None:
        raise DatabaseError

    monkeypatch.setattr(connection, "cursor", gone)
    monkeypatch.setattr(connection, "close", lambda: None)
    assert Client().get("/healthz").content == b"ok"
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["database"], answer.json()["migrations"]) == (503, False, False)


def test_ready_is_who_reaches_a_migrated_database_and_a_broker(broker: object, settings: Any) -> None:
    assert Client().get("/readyz").json() == {"database": True, "migrations": True, "broker": True}
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["broker"]) == (503, False)


def test_a_database_that_lacks_migrations_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    health_views._migrated.cache_clear()
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: ["one is missing"])
    assert not health_views.is_migrated()
    monkeypatch.undo()
    assert health_views.is_migrated()


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer other", "bearer secret", "secret"])
def test_metrics_are_for_whoever_brings_the_token(given: str, settings: Any) -> None:
    settings.METRICS_TOKEN = "secret"
    assert Client().get("/metrics", headers={"Authorization": given}).status_code == 404
    assert Client().get("/metrics", headers={"Authorization": "Bearer secret"}).status_code == 200
    settings.METRICS_TOKEN = ""
    assert Client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def scraped(settings: Any) -> dict[str, float]:
    settings.METRICS_TOKEN = "secret"
    text = Client().get("/metrics", headers={"Authorization": "Bearer secret"}).content.decode()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_metrics_count_answers_queues_and_what_was_recovered(
    settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.IRI_CHUNK_SIZE = 1
    opened_study(n=3)
    before = scraped(settings)
    visitor = running()
    shown = visitor.presentations()
    with django_capture_on_commit_callbacks(execute=True):
        visitor.log(response(1, shown[0]))  # the first goes the long way, the second the short one
        visitor.log(response(2, shown[1]))
        visitor.log(response(2, shown[1]))  # again: not stored twice
        visitor.log(response(3, shown[1]))  # answered before: a conflict
    queued_job(3, slug="waiting")
    lease = claim()
    IRIChunk.objects.filter(pk=lease.chunk.pk).update(lease_until=Now() - timedelta(hours=1))
    claim()
    after = scraped(settings)

    def more(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert more("irisurvey_answers_stored_total") == 2
    assert more('irisurvey_log_requests_total{status="200"}') == 3
    assert more('irisurvey_log_requests_total{status="409"}') == 1
    assert more("irisurvey_log_request_seconds_count") == 4
    assert more("irisurvey_lease_expiries_total") == 1
    assert after['irisurvey_open_chunks{queue="iri.cpu",status="queued"}'] == 2
    assert after["irisurvey_sessions_active"] == 1


def test_a_sweep_counts_itself_and_the_rings_that_it_repeats(broker: redis.Redis, settings: Any) -> None:
    queued_job(1)
    broker.flushdb()  # its ring is lost
    sweep()
    after = scraped(settings)
    assert after["irisurvey_sweeps_total"] == 1
    assert after["irisurvey_lost_message_recoveries_total"] == 1


def test_what_is_wrong_comes_first_with_what_to_do(broker: object) -> None:
    count(SWEEPS)
    queued_job(1)
    found = findings()
    states = [one.state for one in found]
    assert states == sorted(states, key=[State.BAD, State.LOOK, State.GOOD].index)
    assert all(one.do for one in found if one.state != State.GOOD)
    assert not any(one.do for one in found if one.state == State.GOOD)
    assert finding("IRI workers").says == "none is running, and IRIs wait to be found."


def test_housekeeping_that_stopped_is_named(broker: object) -> None:
    assert finding("Housekeeping").says.startswith("has not swept the queue yet")
    count(SWEEPS)
    assert finding("Housekeeping").state == State.GOOD
    Tally.objects.update(at=Now() - timedelta(hours=1))
    assert finding("Housekeeping").state == State.BAD


def test_a_broker_a_worker_and_a_job_in_trouble_are_named(settings: Any) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    assert finding("Broker").state == State.BAD
    finished_job(1)
    Worker.objects.update(last_heartbeat=Now(), trouble="the image store: full")
    name = Worker.objects.all()[0].name
    assert finding(f"Worker {name}").says == "waits: the image store: full"
    settings.IRI_CHUNK_SIZE = 1
    queued_job(1, slug="odd")
    fail_chunk(lease=claim(), reason="Traceback", can_pass=False)
    assert finding("IRI jobs").says.startswith("1 of the last 7 days did not find all IRIs (job ")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"DEBUG": True}, "DEBUG"),
        ({"PUBLIC_URL": "https://survey.example.org", "SECURE_SSL": False}, "SECURE_SSL"),
        ({"PUBLIC_URL": "http://127.0.0.1:8000"}, "PUBLIC_URL"),
    ],
)
def test_a_configuration_that_is_not_for_the_public_is_named(
    changes: dict[str, Any], part: str, settings: Any
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert finding(part).state != State.GOOD


def test_the_page_is_for_superusers() -> None:
    assert Client().get("/admin/status/")["Location"].startswith("/admin/login/")
    assert logged_in(researcher()).get("/admin/status/").status_code == 403
    page = logged_in(superuser()).get("/admin/status/").content.decode()
    assert "What to do:" in page
