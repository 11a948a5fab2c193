"""Real worker processes on a real broker and a real database, with short leases."""

import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import skimage.data

from tests.lab import Lab
from tests.servers import StackServers

READY_SECONDS = 120.0
QUIET = ("--without-mingle", "--without-gossip", "--without-heartbeat")
PHOTOGRAPHS = ("chelsea.png", "coffee.png")

StartWorker = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def lab(stack_servers: StackServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Tables, two photographs in the set "photographs", and the housekeeping worker with its sweep."""
    lab = Lab(
        stack_servers, IRI_LEASE_SECONDS="5", IRI_SWEEP_SECONDS="1", IRI_CHUNK_SIZE="1", LOG_LEVEL="INFO"
    )
    try:
        lab.succeed("migrate", "--verbosity", "0")
        folder = tmp_path_factory.mktemp("photographs")
        for name in PHOTOGRAPHS:
            (folder / name).symlink_to(Path(skimage.data.data_dir) / name)
        lab.succeed("import_images", folder, "--image-set", "photographs")
        lab.start(
            "housekeeping",
            *("-m", "celery", "-A", "survey_site", "worker", "-B", "-l", "INFO", "-Q", "housekeeping"),
            *("-P", "threads", "-c", "1", "-n", "housekeeping@%h", *QUIET),
            *("-s", str(lab.servers.var_dir / "celerybeat-schedule")),
        )
        yield lab
    finally:
        lab.close()


NUMBERS = count(1)


@pytest.fixture
def start_worker(lab: Lab) -> Iterator[StartWorker]:
    """Starts an IRI worker as the documentation does, and waits until it has announced itself."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        name = f"iri-{next(NUMBERS)}"
        process = lab.start(
            name,
            *("-m", "celery", "-A", "survey_site", "worker", "-I", "workers.tasks", "-l", "INFO"),
            *("-P", "solo", "--prefetch-multiplier", "1", "-Q", "iri.cpu", "-n", f"{name}@%h", *QUIET),
        )
        started.append(process)
        lab.wait(
            lambda: lab.value("SELECT count(*) FROM stimuli_worker WHERE name LIKE %s", f"{name}@%") == 1,
            READY_SECONDS,
            what=f"{name} announces itself",
            log=name,
        )
        return process

    yield start
    for process in started:
        lab.stop(process)
