"""What may go wrong between the queue and the worker costs time, never work, and doubles nothing."""

import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import redis
import skimage.data

from survey_site.stack.children import wait_until
from survey_site.stack.ports import free_port
from survey_site.stack.processes import QUIET
from tests.broker.conftest import IRIWorkers
from tests.lab import OWN_IMAGES, Lab

pytestmark = pytest.mark.broker

PHOTOGRAPHS = ("chelsea.png", "coffee.png")
DONE_SECONDS = 120.0
# The paper's recipe takes every step, so the number of steps says how long a chunk lasts.
PAPER = ("--recipe", "reg_free_paper", "--image-size", "32", "--steps")
SHORT, SECONDS, HOURS = (*PAPER, "3"), (*PAPER, "300"), (*PAPER, "100000")
SEEDS = count(1)


@dataclass(frozen=True)
class Chunk:
    status: str
    attempts: int
    fencing_token: int


@dataclass(frozen=True)
class Job:
    """A queued job, looked at in the database."""

    lab: Lab
    number: int

    @property
    def chunks(self) -> list[Chunk]:
        rows = self.lab.rows(
            "SELECT status, attempts, fencing_token FROM stimuli_irichunk WHERE job_id = %s ORDER BY id",
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

    def wait_until_claimed(self, *, steps: int = 0) -> str:
        """A worker holds a chunk, and its descent has taken at least so many steps; the worker's name."""
        holder = (
            "SELECT w.name FROM stimuli_irichunk c JOIN stimuli_worker w ON w.id = c.owner_id "
            "WHERE c.job_id = %s AND c.status = 'running' AND coalesce((c.progress->>'step')::int, 0) >= %s"
        )
        holders: list[str] = []

        def is_held() -> bool:
            holders[:] = self.lab.column(holder, self.number, steps)
            return bool(holders)

        self.lab.wait(
            is_held, DONE_SECONDS, what=f"a chunk of job {self.number} is under way", log="housekeeping"
        )
        return holders[0].split("@")[0]

    def assert_done_once(self) -> None:
        """One IRI per photograph, each with its own image and found under the chunk's last claim."""
        rows = self.lab.rows(
            "SELECT status, target_id, image_id, provenance->>'rng_seed' FROM stimuli_iri WHERE job_id = %s",
            self.number,
        )
        assert [row[0] for row in rows] == ["done"] * len(PHOTOGRAPHS)
        for place in (1, 2, 3):
            assert len({row[place] for row in rows}) == len(PHOTOGRAPHS)


def queue(lab: Lab, recipe: tuple[str, ...], *, priority: int = 0, **settings: str) -> Job:
    """Queue both photographs at the pooled layer, two chunks of one IRI each."""
    said = lab.succeed(
        *("queue_pairs", "--network", "lite0", "--layer", "_avg_pooling", "--image-set", "photographs"),
        *("--rng-seed", str(next(SEEDS)), "--priority", str(priority), *recipe),
        **settings,
    )
    return Job(lab, int(said.split(":")[0].removeprefix("job ")))


@pytest.fixture(scope="module", autouse=True)
def ready_lab(lab: Lab, workers: IRIWorkers, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two photographs, the sweep, and an untrained EfficientNet-Lite0, as slow as the trained one."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in PHOTOGRAPHS:
        (folder / name).symlink_to(Path(skimage.data.data_dir) / name)
    lab.succeed("import_images", folder, "--image-set", "photographs", *OWN_IMAGES)
    workers.ensure(1)
    lab.succeed(
        *("register_network", "efficientnet_lite0", "--source", "package", "--random-seed", "0"),
        *("--slug", "lite0"),
    )
    lab.start(
        "housekeeping",
        *("-m", "celery", "-A", "survey_site", "worker", "-B", "-l", "INFO", "-Q", "housekeeping"),
        *("-P", "threads", "-c", "1", "-n", "housekeeping@%h", *QUIET),
        *("-s", str(lab.servers.var_dir / "celerybeat-schedule")),
    )


def test_rings_that_are_flushed_unheard_or_doubled_cost_no_work_and_double_none(
    lab: Lab, workers: IRIWorkers
) -> None:
    workers.stop()
    with redis.Redis.from_url(lab.servers.broker_url) as client:
        flushed = queue(lab, SHORT)
        assert wait_until(lambda: client.llen("iri.cpu") > 0, 30)
        client.flushdb()  # the test's own numbered database
        unheard = queue(lab, SHORT, CELERY_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0")
        assert unheard.statuses == ["queued", "queued"]
        doubled = queue(lab, SHORT)
        messages = client.lrange("iri.cpu", 0, -1)
        assert messages
        client.rpush("iri.cpu", *messages, *messages)

    workers.ensure(2)
    for job in (flushed, unheard, doubled):
        job.wait_until_done()
        job.assert_done_once()
        assert [chunk.attempts for chunk in job.chunks] == [1, 1]


def test_a_killed_worker_costs_an_attempt_and_no_iri(lab: Lab, workers: IRIWorkers) -> None:
    workers.ensure(2)
    job = queue(lab, SECONDS)
    victim = workers.processes[job.wait_until_claimed()]
    victim.kill()
    victim.wait()
    assert job.statuses.count("done") < len(PHOTOGRAPHS)

    job.wait_until_done()
    job.assert_done_once()
    assert sorted(chunk.attempts for chunk in job.chunks) == [1, 2]
    assert [chunk.fencing_token for chunk in job.chunks] == [chunk.attempts for chunk in job.chunks]


def test_a_worker_told_to_end_gives_its_chunk_back_within_seconds(lab: Lab, workers: IRIWorkers) -> None:
    workers.ensure(1)
    job = queue(lab, HOURS, priority=-1)
    worker = workers.processes[job.wait_until_claimed(steps=1)]
    began = time.monotonic()
    workers.stop()
    assert worker.wait(0) == 0
    assert time.monotonic() - began < 20
    assert [(chunk.status, chunk.attempts) for chunk in job.chunks] == [("queued", 0), ("queued", 0)]
    assert job.statuses == ["queued", "queued"]
