"""A fleet of workers with fake inversions, some of them killed at random, works through thousands of chunks.

    python -m tests.benchmarks.fleet --workers 50 --chunks 10000 --kills 100 --json fleet.json

On a PostgreSQL and a broker of its own. Everything but the inversions is real: Celery, claims, leases,
heartbeats, image files, rows. Fails unless every chunk is done exactly once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg2

from survey_site.stack.children import wait_until
from tests.faults.site import FaultySite, is_running

IRIS_PER_JOB = 100
LEASE_SECONDS = "15"
END_SECONDS = 7200.0
TICK = 0.5


@dataclass(frozen=True)
class Plan:
    """What is run: chunks of one IRI each, and the seconds that a fake inversion takes."""

    workers: int
    chunks: int
    kills: int
    seed: int
    inversion_seconds: float


@dataclass(frozen=True)
class Result:
    """Milliseconds are per chunk. `overhead`: from claim to end without the inversion (median)."""

    plan: Plan
    chunks_done: int
    lost: int
    doubled: int
    workers_killed: int
    chunks_taken_over: int
    seconds: float
    chunks_per_second: float
    overhead_ms: float
    cpu_ms_workers: float
    cpu_ms_database: float
    cpu_ms_broker: float


class Fleet:
    """Workers of a site, their processor time, and the random kills among them."""

    def __init__(self, site: FaultySite, plan: Plan) -> None:
        self.site, self.plan = site, plan
        self._random = random.Random(plan.seed)
        self._names = site.hire(plan.workers, FAKE_SECONDS=str(plan.inversion_seconds))
        self._spent_by_the_killed = 0.0
        self.killed = 0

    def kill_and_replace(self) -> None:
        """One at random, whatever it is doing."""
        name = self._random.choice(self._names)
        self._names.remove(name)
        pid = self.site.workers[name]
        self._spent_by_the_killed += cpu_seconds([pid])
        self.site.kill(name)
        wait_until(lambda: not is_running(pid), 30)
        self.killed += 1
        self._names += self.site.recruit(1, FAKE_SECONDS=str(self.plan.inversion_seconds))

    def cpu_seconds(self) -> float:
        return self._spent_by_the_killed + cpu_seconds(self.site.workers.values())


def run(site: FaultySite, plan: Plan) -> Result:
    """Queue, let the fleet work, kill at random, and count."""
    jobs = site.call("queue", count=min(IRIS_PER_JOB, plan.chunks), jobs=max(1, plan.chunks // IRIS_PER_JOB))
    fleet = Fleet(site, plan)
    servers = {"database": _pids_of_postgres(site), "broker": _pids_of_broker(site)}
    before = {name: cpu_seconds(pids) for name, pids in servers.items()}
    before_workers, began = fleet.cpu_seconds(), time.monotonic()
    already = site.n_done(*jobs)
    _until_the_end(site, fleet, jobs, plan)
    seconds = time.monotonic() - began
    servers["database"] = _pids_of_postgres(site)
    outcome = site.outcome("fleet", seconds, *jobs)
    n = site.n_done(*jobs)
    spent = {name: cpu_seconds(pids) - before[name] for name, pids in servers.items()}
    return Result(
        plan=plan,
        chunks_done=_finished_once(site, jobs),
        lost=outcome.lost,
        doubled=outcome.doubled,
        workers_killed=fleet.killed,
        chunks_taken_over=_taken_over(site, jobs),
        seconds=round(seconds, 1),
        chunks_per_second=round((n - already) / seconds, 1),
        overhead_ms=round(1000 * (_median_seconds(site, jobs) - plan.inversion_seconds), 1),
        cpu_ms_workers=round(1000 * (fleet.cpu_seconds() - before_workers) / (n - already), 1),
        cpu_ms_database=round(1000 * spent["database"] / (n - already), 1),
        cpu_ms_broker=round(1000 * spent["broker"] / (n - already), 1),
    )


def _until_the_end(site: FaultySite, fleet: Fleet, jobs: list[int], plan: Plan) -> None:
    """Kills are spread over the chunks, so that they come at any speed."""
    until = time.monotonic() + END_SECONDS
    total = len(jobs) * min(IRIS_PER_JOB, plan.chunks)
    while (done := _n_done(site, jobs)) < total:
        if time.monotonic() > until:
            raise TimeoutError(f"{done} of {total} chunks after {END_SECONDS:.0f} s")
        if fleet.killed < plan.kills * done / total:
            fleet.kill_and_replace()
        else:
            time.sleep(TICK)
    site.wait_for_end(*jobs)


def _n_done(site: FaultySite, jobs: list[int]) -> int:
    try:
        return site.n_done(*jobs)
    except psycopg2.OperationalError:  # more asked for connections than there are
        return 0


def _finished_once(site: FaultySite, jobs: list[int]) -> int:
    return int(
        site.value(
            "SELECT count(*) FROM (SELECT chunk_id FROM stimuli_statechange WHERE job_id = ANY(%s) "
            "AND after = 'finished' AND chunk_id IS NOT NULL GROUP BY chunk_id HAVING count(*) = 1) once",
            jobs,
        )
    )


def _taken_over(site: FaultySite, jobs: list[int]) -> int:
    claimed_again = "SELECT count(*) FROM stimuli_irichunk WHERE fencing_token > 1 AND job_id = ANY(%s)"
    return int(site.value(claimed_again, jobs))


def _median_seconds(site: FaultySite, jobs: list[int]) -> float:
    """From the last claim of a chunk to its end."""
    return float(
        site.value(
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FROM (SELECT "
            "extract(epoch FROM finished_at - started_at) AS seconds FROM stimuli_irichunk "
            "WHERE job_id = ANY(%s)) spans",
            jobs,
        )
    )


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time of the processes that are there, and of the children that they have waited for."""
    return sum(map(_cpu_seconds, pids))


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _pids_of_postgres(site: FaultySite) -> list[int]:
    """The server and its backends."""
    leader = _pid(site.embedded.postgres.child)
    return [leader, *(pid for pid in _all_pids() if _parent(pid) == leader)]


def _pids_of_broker(site: FaultySite) -> list[int]:
    return [_pid(site.embedded.broker.child)]


def _pid(child: Any) -> int:
    return int(child.process.pid)


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--chunks", type=int, default=10_000, help=f"in jobs of {IRIS_PER_JOB}")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--inversion-seconds", type=float, default=0.2)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(words)
    plan = Plan(given.workers, given.chunks, given.kills, given.seed, given.inversion_seconds)
    folder = Path(tempfile.mkdtemp(prefix="irisurvey-fleet-"))
    site = FaultySite(folder, own_disk=False, IRI_LEASE_SECONDS=LEASE_SECONDS)
    try:
        result = run(site, plan)
    finally:
        site.close()
        shutil.rmtree(folder)
    report = json.dumps(asdict(result), indent=2)
    sys.stdout.write(f"{report}\n")
    if given.json:
        given.json.write_text(f"{report}\n")
    return 0 if result.chunks_done == plan.chunks and result.lost == result.doubled == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
