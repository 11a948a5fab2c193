"""Real worker processes on a real broker and a real database, with short leases."""

import itertools
import subprocess
from collections.abc import Iterator
from functools import partial

import pytest

from survey_site.stack.processes import QUIET, WAIT_POLICY
from tests.lab import Lab
from tests.servers import StackServers

READY_SECONDS = 120.0


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


class IRIWorkers:
    """IRI workers as the documentation starts them, by name. Starting takes seconds, so tests share them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def ensure(self, count: int) -> list[str]:
        """Start what is missing to `count` running ones, wait until they are ready, and name them all."""
        missing = [f"iri-{next(NUMBERS)}" for _ in range(count - len(self.running))]
        for name in missing:
            self.processes[name] = self._start(name)
        for name in missing:
            self.lab.wait(
                partial(self._has_announced_itself, name), READY_SECONDS, what=f"{name} is ready", log=name
            )
        return self.running

    @property
    def running(self) -> list[str]:
        return [name for name, process in self.processes.items() if process.poll() is None]

    def stop(self) -> None:
        self.lab.stop(*self.processes.values())

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        return self.lab.start(
            name,
            *("-m", "celery", "-A", "survey_site", "worker", "-I", "workers.tasks", "-l", "INFO"),
            *("-P", "solo", "--prefetch-multiplier", "1", "-Q", "iri.cpu", "-n", f"{name}@%h", *QUIET),
            OMP_WAIT_POLICY=WAIT_POLICY,
        )

    def _has_announced_itself(self, name: str) -> bool:
        return bool(self.lab.rows("SELECT 1 FROM stimuli_worker WHERE name LIKE %s", f"{name}@%"))


@pytest.fixture(scope="module")
def workers(lab: Lab) -> IRIWorkers:
    return IRIWorkers(lab)
