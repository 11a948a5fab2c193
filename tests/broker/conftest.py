"""Real worker processes on a real broker and a real database, with short leases."""

import itertools
import subprocess
from collections.abc import Iterator
from functools import partial
from typing import Protocol

import pytest

from survey_site.stack.processes import QUIET, WAIT_POLICY
from tests.lab import Lab
from tests.servers import StackServers

READY_SECONDS = 120.0


class StartWorker(Protocol):
    def __call__(self, count: int = 1) -> subprocess.Popen[bytes]: ...


@pytest.fixture(scope="module")
def lab(stack_servers: StackServers) -> Iterator[Lab]:
    """Empty tables; leases and sweeps are short, and every IRI is a chunk of its own."""
    lab = Lab(stack_servers, IRI_LEASE_SECONDS="5", IRI_SWEEP_SECONDS="1", IRI_CHUNK_SIZE="1")
    try:
        lab.succeed("migrate", "--verbosity", "0")
        yield lab
    finally:
        lab.close()


NUMBERS = itertools.count(1)


@pytest.fixture
def start_worker(lab: Lab) -> Iterator[StartWorker]:
    """Starts IRI workers as the documentation does, waits until all have announced themselves, and gives
    the first.
    """
    started: list[subprocess.Popen[bytes]] = []

    def start(count: int = 1) -> subprocess.Popen[bytes]:
        names = [f"iri-{next(NUMBERS)}" for _ in range(count)]
        processes = [run_worker(lab, name) for name in names]
        started.extend(processes)
        for name in names:
            lab.wait(
                partial(has_announced_itself, lab, name),
                READY_SECONDS,
                what=f"{name} announces itself",
                log=name,
            )
        return processes[0]

    yield start
    lab.stop(*started)


def run_worker(lab: Lab, name: str) -> subprocess.Popen[bytes]:
    return lab.start(
        name,
        *("-m", "celery", "-A", "survey_site", "worker", "-I", "workers.tasks", "-l", "INFO"),
        *("-P", "solo", "--prefetch-multiplier", "1", "-Q", "iri.cpu", "-n", f"{name}@%h", *QUIET),
        OMP_WAIT_POLICY=WAIT_POLICY,
    )


def has_announced_itself(lab: Lab, name: str) -> bool:
    return bool(lab.rows("SELECT 1 FROM stimuli_worker WHERE name LIKE %s", f"{name}@%"))
