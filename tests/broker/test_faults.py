"""What may go wrong between the queue and the worker costs time, never work, and doubles nothing."""

import signal
import time
from dataclasses import dataclass
from itertools import count

import pytest
import redis

from survey_site.stack.children import wait_until
from survey_site.stack.ports import free_port
from tests.broker.conftest import PHOTOGRAPHS, StartWorker
from tests.lab import Lab

pytestmark = pytest.mark.broker

DONE_SECONDS = 120.0
# The paper's recipe never ends early: a chunk of this many steps can be interrupted in the middle.
LONG = ("--recipe", "reg_free_paper", "--image-size", "32", "--steps", "250")
SHORT = ("--recipe", "reg_free_paper", "--image-size", "32", "--steps", "3")
SEEDS = count(1)


@dataclass(frozen=True)
class Chunk:
    status: str
    attempts: int
    fencing_token: int
    step: int


@dataclass(frozen=True)
class Job:
    """A queued job, looked at in the database."""

    lab: Lab
    number: int

    @property
    def chunks(self) -> list[Chunk]:
        rows = self.lab.rows(
            "SELECT status, attempts, fencing_token, coalesce((progress->>'step')::int, 0) "
            "FROM stimuli_irichunk WHERE job_id = %s ORDER BY id",
            self.number,
        )
        return [Chunk(*row) for row in rows]

    @property
    def statuses(self) -> list[str]:
        return self.lab.column("SELECT status FROM stimuli_iri WHERE job_id = %s", self.number)

    def wait_until_done(self) -> None:
        self.lab.wait(
            lambda: {chunk.status for chunk in self.chunks} == {"finished"},
            DONE_SECONDS,
            what=f"job {self.number} is done ({self.chunks})",
            log="housekeeping",
        )

    def wait_until_in_the_middle(self) -> None:
        """One chunk's descent has taken steps, and has more to take."""
        self.lab.wait(
            lambda: any(chunk.status == "running" and chunk.step > 0 for chunk in self.chunks),
            DONE_SECONDS,
            what=f"a chunk of job {self.number} is under way",
            log="housekeeping",
        )

    def assert_done_once(self) -> None:
        """One IRI per photograph, each with its own image and found under the chunk's last claim."""
        rows = self.lab.rows(
            "SELECT status, target_id, image_id, provenance->>'rng_seed' FROM stimuli_iri WHERE job_id = %s",
            self.number,
        )
        assert [row[0] for row in rows] == ["done"] * len(PHOTOGRAPHS)
        for place in (1, 2, 3):
            assert len({row[place] for row in rows}) == len(PHOTOGRAPHS)


def queue(lab: Lab, recipe: tuple[str, ...], **settings: str) -> Job:
    """Queue both photographs at the pooled layer, two chunks of one IRI each."""
    said = lab.succeed(
        *("queue_pairs", "--network", "lite0", "--layer", "_avg_pooling", "--image-set", "photographs"),
        *("--rng-seed", str(next(SEEDS)), *recipe),
        **settings,
    )
    return Job(lab, int(said.split(":")[0].removeprefix("job ")))


@pytest.fixture(scope="module", autouse=True)
def registered(lab: Lab) -> None:
    """An untrained EfficientNet-Lite0, which computes like the trained one; a worker had to look at it."""
    worker = lab.start(
        "inspecting",
        *("-m", "celery", "-A", "survey_site", "worker", "-I", "workers.tasks", "-l", "INFO"),
        *("-P", "solo", "-Q", "iri.cpu", "-n", "inspecting@%h"),
    )
    lab.succeed(
        *("register_network", "efficientnet_lite0", "--source", "package", "--random-seed", "0"),
        *("--slug", "lite0"),
    )
    lab.stop(worker)


def test_a_killed_worker_costs_an_attempt_and_no_iri(lab: Lab, start_worker: StartWorker) -> None:
    first = start_worker()
    job = queue(lab, LONG)
    job.wait_until_in_the_middle()
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert "done" not in job.statuses[1:] or "running" in job.statuses

    start_worker()
    job.wait_until_done()
    job.assert_done_once()
    assert sorted(chunk.attempts for chunk in job.chunks) == [1, 2]
    assert [chunk.fencing_token for chunk in job.chunks] == [chunk.attempts for chunk in job.chunks]


def test_a_worker_told_to_end_gives_its_chunk_back_within_seconds(
    lab: Lab, start_worker: StartWorker
) -> None:
    first = start_worker()
    job = queue(lab, LONG)
    job.wait_until_in_the_middle()
    began = time.monotonic()
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    assert time.monotonic() - began < 15
    assert {chunk.status for chunk in job.chunks} <= {"queued", "finished"}
    assert "running" not in job.statuses

    start_worker()
    job.wait_until_done()
    job.assert_done_once()
    assert [chunk.attempts for chunk in job.chunks] == [1, 1]


def test_a_flushed_broker_costs_no_work(lab: Lab, start_worker: StartWorker) -> None:
    job = queue(lab, SHORT)
    with redis.Redis.from_url(lab.servers.broker_url) as client:
        assert wait_until(lambda: client.llen("iri.cpu") >= 1, 30)
        client.flushdb()  # the test's own numbered database
    start_worker()
    job.wait_until_done()
    job.assert_done_once()
    assert [chunk.attempts for chunk in job.chunks] == [1, 1]


def test_messages_delivered_twice_to_two_workers_double_nothing(lab: Lab, start_worker: StartWorker) -> None:
    job = queue(lab, SHORT)
    with redis.Redis.from_url(lab.servers.broker_url) as client:
        messages = client.lrange("iri.cpu", 0, -1)
        assert messages
        client.rpush("iri.cpu", *messages, *messages)
    for _ in range(2):
        start_worker()
    job.wait_until_done()
    job.assert_done_once()
    assert [chunk.attempts for chunk in job.chunks] == [1, 1]


def test_a_broker_that_is_away_while_queueing_loses_nothing(lab: Lab, start_worker: StartWorker) -> None:
    began = time.monotonic()
    job = queue(lab, SHORT, CELERY_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert time.monotonic() - began < 60
    assert job.statuses == ["queued", "queued"]
    start_worker()
    job.wait_until_done()
    job.assert_done_once()
