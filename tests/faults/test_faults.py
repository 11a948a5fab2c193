"""Whatever fails between the queue and the image store costs time: no IRI is lost and none is made twice."""

from __future__ import annotations

import signal
import time
from contextlib import closing

import psycopg2
import pytest
import redis

from survey_site.stack.children import wait_until
from tests.faults.site import LEASE_SECONDS, FaultySite, kill
from tests.faults.table import Outcome, Report

pytestmark = pytest.mark.broker

#: What workers say that they wait for.
TROUBLE = (
    "SELECT (SELECT coalesce(string_agg(trouble, ' '), '') FROM stimuli_worker)"
    " || (SELECT coalesce(string_agg(progress->>'waiting_for', ' '), '') FROM stimuli_irichunk)"
)


def broker(site: FaultySite) -> redis.Redis:
    return redis.Redis.from_url(site.servers.broker_url)


@pytest.mark.parametrize("moment", ["kill-before-row", "kill-before-iri"])
def test_a_worker_killed_while_it_records(site: FaultySite, report: Report, moment: str) -> None:
    request = site.ask_for(moment)
    site.hire(2)
    (job,) = site.call("queue", count=6)
    assert wait_until(lambda: not request.exists(), 60)
    killed = time.monotonic()
    site.wait_for_end(job)
    seconds = time.monotonic() - killed
    assert len(site.alive) == 1
    retried = site.value("SELECT max(attempts) FROM stimuli_irichunk WHERE job_id = %s", job)
    assert retried == 2
    name = {
        "kill-before-row": "killed between an image's file and its row",
        "kill-before-iri": "killed between an IRI's images and its row",
    }
    report.append(site.outcome(name[moment], seconds, job))


def test_redis_is_flushed_with_fifty_chunks_queued(site: FaultySite, report: Report) -> None:
    (job,) = site.call("queue", count=50)
    with closing(broker(site)) as client:
        assert wait_until(lambda: int(client.llen("iri.cpu")) >= 50, 30)
        client.flushall()
    flushed = time.monotonic()
    site.hire(3)
    site.wait_for_work(job, beyond=0)
    seconds = time.monotonic() - flushed
    site.wait_for_end(job)
    report.append(site.outcome("Redis flushed with 50 chunks queued", seconds, job))


def test_every_message_is_delivered_twice(site: FaultySite, report: Report) -> None:
    (job,) = site.call("queue", count=20)
    with closing(broker(site)) as client:
        messages = client.lrange("iri.cpu", 0, -1)
        assert len(messages) >= 20
        client.rpush("iri.cpu", *messages)
        doubled = time.monotonic()
    site.hire(3)
    site.wait_for_work(job, beyond=0)
    seconds = time.monotonic() - doubled
    site.wait_for_end(job)
    claims = site.value("SELECT sum(fencing_token) FROM stimuli_irichunk WHERE job_id = %s", job)
    assert claims == 20
    report.append(site.outcome("every message delivered twice", seconds, job))


def test_two_workers_hold_the_same_chunk(site: FaultySite, report: Report) -> None:
    """The first does not heed that it lost its lease, and writes: it may not."""
    site.ask_for("ignore-the-lease")
    hold = site.ask_for("hold")
    site.hire(2)
    (job,) = site.call("queue", count=1)
    first = site.wait_for_claim(job)
    lapsed = time.monotonic()
    site.lapse_until_another_claims(job, first)
    hold.unlink()
    site.wait_for_end(job)
    seconds = time.monotonic() - lapsed
    assert wait_until(lambda: "is no longer held under token 1" in site.last_words(first), 30)
    assert site.value("SELECT fencing_token FROM stimuli_irichunk WHERE job_id = %s", job) == 2
    report.append(site.outcome("two workers on the same chunk", seconds, job))


def test_redis_stops_and_starts(site: FaultySite, report: Report) -> None:
    site.hire(2, FAKE_SECONDS="0.5")
    (job,) = site.call("queue", count=20)
    site.wait_for_work(job, beyond=1)
    site.embedded.broker.stop()
    time.sleep(5)
    done = site.n_done(job)
    site.embedded.broker.start()
    seconds = site.wait_for_work(job, beyond=done)
    site.wait_for_end(job)
    report.append(site.outcome("Redis stopped for 5 s", seconds, job))


def test_postgresql_stops_and_starts(site: FaultySite, report: Report) -> None:
    site.hire(2, FAKE_SECONDS="0.5")
    (job,) = site.call("queue", count=20)
    site.wait_for_work(job, beyond=1)
    done = site.n_done(job)
    site.embedded.postgres.stop()
    with pytest.raises(psycopg2.OperationalError):
        site.n_done(job)
    time.sleep(5)
    site.embedded.postgres.start()
    seconds = site.wait_for_work(job, beyond=done + 2)
    site.wait_for_end(job)
    assert len(site.alive) == 2
    attempts = site.value("SELECT max(fruitless) FROM stimuli_irichunk WHERE job_id = %s", job)
    assert attempts <= 1
    report.append(site.outcome("PostgreSQL stopped for 5 s", seconds, job))


def test_a_worker_is_paused_past_its_lease_and_woken(site: FaultySite, report: Report) -> None:
    site.hire(2, FAKE_SECONDS="2")
    (job,) = site.call("queue", count=2)
    sleeper = site.wait_for_claim(job)
    kill(site.workers[sleeper], signal.SIGSTOP)
    paused = time.monotonic()
    site.wait_for_end(job)
    seconds = time.monotonic() - paused
    assert seconds > LEASE_SECONDS / 2
    kill(site.workers[sleeper], signal.SIGCONT)
    assert wait_until(lambda: "is no longer held under token 1" in site.last_words(sleeper), 30)
    (more,) = site.call("queue", count=4)
    site.wait_for_end(more)
    report.append(site.outcome("a worker paused past its lease and woken", seconds, job, more))


def test_the_image_store_is_full(site: FaultySite, report: Report) -> None:
    site.hire(2, FAKE_SECONDS="0.3")
    (job,) = site.call("queue", count=12)
    site.wait_for_work(job, beyond=1)
    with site.full_store() as how:
        site.wait(
            lambda: "No space left on device" in str(site.value(TROUBLE)),
            30,
            what="a worker says what it waits for",
            log=site.alive[0],
        )
        time.sleep(LEASE_SECONDS + 1)  # nobody loses a lease for it
        done = site.n_done(job)
    seconds = site.wait_for_work(job, beyond=done)
    site.wait_for_end(job)
    claims = site.value("SELECT sum(attempts) FROM stimuli_irichunk WHERE job_id = %s", job)
    assert claims == 12
    report.append(site.outcome("the image store full for 6 s and more", seconds, job, detail=how))


def test_the_image_store_is_away(site: FaultySite, report: Report) -> None:
    (job,) = site.call("queue", count=12)
    site.hire(2, FAKE_SECONDS="0.3")
    site.wait_for_work(job, beyond=1)
    with site.absent_store():
        site.wait(
            lambda: "is it mounted?" in str(site.value(TROUBLE)),
            30,
            what="a worker says what it waits for",
            log=site.alive[0],
        )
        assert site.job_status(job) == "running"
        done = site.n_done(job)
    seconds = site.wait_for_work(job, beyond=done)
    site.wait_for_end(job)
    report.append(site.outcome("the image store away, an empty folder in its place", seconds, job))


def test_the_databases_disk_is_full(site: FaultySite, report: Report) -> None:
    site.hire(2, FAKE_SECONDS="0.3")
    (job,) = site.call("queue", count=12)
    site.wait_for_work(job, beyond=1)
    site.call("fill_database")
    time.sleep(LEASE_SECONDS + 1)
    done = site.n_done(job)
    site.call("free_database")
    seconds = site.wait_for_work(job, beyond=done)
    site.wait_for_end(job)
    assert len(site.alive) == 2
    report.append(site.outcome("the database's disk full for 6 s: each write refused", seconds, job))


def test_the_brokers_memory_is_full(site: FaultySite, report: Report) -> None:
    site.hire(2, FAKE_SECONDS="0.3")
    with closing(broker(site)) as client:
        client.config_set("maxmemory", "1")
        try:
            (job,) = site.call("queue", count=12)
            time.sleep(5)
            done = site.n_done(job)
        finally:
            client.config_set("maxmemory", "0")
    seconds = site.wait_for_work(job, beyond=done)
    site.wait_for_end(job)
    report.append(site.outcome("the broker's memory full for 5 s and more", seconds, job))


def test_a_poison_chunk_fails_alone_and_the_job_ends_partly_finished(
    site: FaultySite, report: Report
) -> None:
    poison = site.ask_for("poison", "3.png")
    site.hire(2)
    (job,) = site.call("queue", count=8)
    site.wait_for_end(job)
    assert site.job_status(job) == "partly_finished"
    [(reason, attempts)] = site.rows(
        "SELECT reason, attempts FROM stimuli_irichunk WHERE job_id = %s AND status = 'failed'", job
    )
    assert reason.startswith("Traceback")
    assert "3.png is poison" in reason
    assert attempts == 3
    failed = site.outcome("a poison chunk among good ones", 0, job, missing=1)
    poison.unlink()
    mended = time.monotonic()
    site.call("requeue", job=job)
    site.wait_for_end(job)
    seconds = time.monotonic() - mended
    assert site.value("SELECT count(*) FROM stimuli_irichunk WHERE job_id = %s", job) == 9
    assert site.outcome("", 0, job).lost == failed.lost == 0
    report.append(
        Outcome(failed.fault, 0, failed.doubled, seconds, "1 failed by itself; queued again when mended")
    )


@pytest.mark.parametrize("hours", ["1", "-1"])
def test_a_workers_clock_is_an_hour_off(site: FaultySite, report: Report, hours: str) -> None:
    (odd,) = site.hire(1, FAKE_SECONDS="0.5", CLOCK_OFF_BY_HOURS=hours)
    (right,) = site.hire(1, FAKE_SECONDS="0.5")
    began = time.monotonic()
    (job,) = site.call("queue", count=10)
    site.wait_for_end(job)
    seconds = time.monotonic() - began
    rows = site.rows(
        "SELECT w.name, abs(extract(epoch FROM i.finished_at - now())) FROM stimuli_iri i "
        "JOIN stimuli_worker w ON w.id = i.made_by_id WHERE job_id = %s",
        job,
    )
    assert {name.split("@")[0] for name, _ in rows} == {odd, right}
    assert max(age for _, age in rows) < 120  # by the database's clock
    assert site.value("SELECT max(attempts) FROM stimuli_irichunk WHERE job_id = %s", job) == 1
    report.append(
        site.outcome(f"the clock of a worker {hours} h off", seconds, job, detail="all 10 IRIs, 0.5 s each")
    )


def test_pause_resume_and_cancel_work_within_seconds(site: FaultySite, report: Report) -> None:
    site.hire(1, FAKE_SECONDS="60")
    (job,) = site.call("queue", count=2)
    site.wait_for_claim(job)
    began = time.monotonic()
    assert site.call("pause", job=job)
    is_running = "SELECT count(*) FROM stimuli_irichunk WHERE status = 'running' AND job_id = %s"
    assert wait_until(lambda: site.value(is_running, job) == 0, 30)
    paused = time.monotonic() - began
    assert site.call("resume", job=job)
    site.wait_for_claim(job)
    began = time.monotonic()
    assert site.call("cancel", job=job)
    (other,) = site.call("queue", count=1)
    site.wait_for_claim(other)
    cancelled = time.monotonic() - began
    assert max(paused, cancelled) < 10
    assert site.job_status(job) == "cancelled"
    site.call("cancel", job=other)
    report.append(
        Outcome("paused, resumed, cancelled", 0, 0, paused, f"the worker was free {cancelled:.1f} s after")
    )
