"""A real worker killed five times in a row ends at the same PNG bytes as one that nobody disturbed."""

from __future__ import annotations

import subprocess
import time
from functools import partial
from pathlib import Path

import pytest
import skimage.data

from survey_site.stack.processes import QUIET, WAIT_POLICY
from tests.faults.site import FaultySite
from tests.faults.table import Report
from tests.lab import OWN_IMAGES

pytestmark = [pytest.mark.broker, pytest.mark.slow_fault, pytest.mark.timeout(1800)]

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
KILLS = 5
READY_SECONDS = 180.0
SETTINGS = {"IRI_CHUNK_SIZE": "4", "IRI_CHECKPOINT_SECONDS": "1", "OMP_WAIT_POLICY": WAIT_POLICY}
PAIR = ("--network", "squeezed", "--layer", "features.5", "--image-set", "photographs")


def real_worker(site: FaultySite, name: str) -> subprocess.Popen[bytes]:
    """As the documentation starts one; ready when it has announced itself."""
    worker = site.start(
        name,
        *("-m", "celery", "-A", "survey_site", "worker", "-I", "workers.tasks", "-l", "INFO"),
        *("-P", "solo", "--prefetch-multiplier", "1", "-Q", "iri.cpu", "-n", f"{name}@%h", *QUIET),
        **SETTINGS,
    )
    announced = "SELECT count(*) FROM stimuli_worker WHERE name LIKE %s"
    site.wait(
        lambda: site.value(announced, f"{name}@%") == 1, READY_SECONDS, what=f"{name} is ready", log=name
    )
    return worker


def queue(site: FaultySite) -> int:
    """Four photographs at one layer, one chunk; images leave the batch at different steps."""
    recipe = site.call("store_recipe", steps=2500, finish_below=0.01, image_size=64)
    said = site.succeed("queue_pairs", *PAIR, "--recipe", recipe, **SETTINGS)
    return int(said.split(":")[0].removeprefix("job "))


def hashes(site: FaultySite, job: int) -> dict[str, str]:
    rows = site.rows(
        "SELECT t.name, s.sha256 FROM stimuli_iri i JOIN stimuli_targetimage t ON t.id = i.target_id "
        "JOIN stimuli_storedimage s ON s.id = i.image_id WHERE i.job_id = %s",
        job,
    )
    return dict(rows)


def forget(site: FaultySite, job: int) -> None:
    """The job as if it had never been queued."""
    for table in ("iri", "statechange", "irichunk"):
        site.rows(f"DELETE FROM stimuli_{table} WHERE job_id = %s RETURNING id", job)  # noqa: S608
    site.rows("DELETE FROM stimuli_irijob WHERE id = %s RETURNING id", job)


def step(site: FaultySite, job: int) -> int:
    """The step of the last checkpoint's successor, as far as the heartbeat has told; 0 without either."""
    found = site.column(
        "SELECT coalesce((progress->>'step')::int, 0) FROM stimuli_irichunk WHERE job_id = %s "
        "AND checkpoint <> '' AND status = 'running'",
        job,
    )
    return int(found[0]) if found else 0


@pytest.fixture(scope="module")
def squeezed(site: FaultySite, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A small real network, and four photographs."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in PHOTOGRAPHS:
        (folder / name).symlink_to(Path(skimage.data.data_dir) / name)
    site.succeed("import_images", folder, "--image-set", "photographs", *OWN_IMAGES)
    worker = real_worker(site, "real-0")
    site.succeed(
        *("register_network", "squeezenet1_1", "--random-seed", "1", "--num-classes", "10"),
        *("--input-size", "64", "--slug", "squeezed"),
    )
    site.stop(worker)


@pytest.mark.usefixtures("squeezed")
def test_killed_five_times_in_a_row_it_ends_at_the_same_bytes(site: FaultySite, report: Report) -> None:
    worker = real_worker(site, "undisturbed")
    job = queue(site)
    site.wait_for_end(job, seconds=400)
    site.stop(worker)
    undisturbed = hashes(site, job)
    assert len(undisturbed) == len(PHOTOGRAPHS)
    forget(site, job)

    job = queue(site)
    reached, recoveries = 0, []
    for number in range(KILLS):
        worker = real_worker(site, f"victim-{number}")
        ready = time.monotonic()
        site.wait(
            partial(lambda beyond: step(site, job) > beyond, reached),
            READY_SECONDS,
            what=f"the search gets beyond step {reached}",
            log=f"victim-{number}",
        )
        recoveries.append(time.monotonic() - ready)
        reached = step(site, job)
        worker.kill()
        worker.wait()
        assert site.n_done(job) < len(PHOTOGRAPHS), "the search must be under way when it is killed"
    worker = real_worker(site, "survivor")
    site.wait_for_end(job, seconds=400)
    site.stop(worker)

    assert hashes(site, job) == undisturbed
    [(claims, attempts, fruitless)] = site.rows(
        "SELECT fencing_token, attempts, fruitless FROM stimuli_irichunk WHERE job_id = %s", job
    )
    assert (claims, attempts) == (KILLS + 1, KILLS + 1)
    assert fruitless == 0
    seconds = sum(recoveries[1:]) / (KILLS - 1)
    report.append(
        site.outcome("a worker killed mid-chunk, five times", seconds, job, detail="the same PNG bytes")
    )
