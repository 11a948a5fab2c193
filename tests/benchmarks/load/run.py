"""One load on a running site: bots in processes of their own, and what came of it."""

from __future__ import annotations

import multiprocessing
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.benchmarks.fleet import cpu_seconds
from tests.benchmarks.load.bots import Load, Report, Said, drive
from tests.benchmarks.load.oracle import compare
from tests.benchmarks.load.spent import web_and_database
from tests.e2e.survey import SurveySite

READY_SECONDS = 600.0
PROCESSES = 2


@dataclass(frozen=True)
class Result:
    """Latencies from sending an answer to its acknowledgement; throughput in answers a second.

    `cpu_ms_*` is processor time an answer: with it, loads on a busy machine can be compared.
    """

    bots: int
    answers: int
    seconds: float
    throughput: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    lost: int
    doubled: int
    reconnects: int
    cpu_ms_web: float
    cpu_ms_database: float
    cpu_ms_bots: float
    load_average_before: float


def run(site: SurveySite, load: Load, *, processes: int = PROCESSES) -> Result:
    """Let the bots prepare, begin together and answer all; then compare the rows with what they said."""
    busy = os.getloadavg()[0]
    spent: list[tuple[float, float]] = []

    def note() -> None:
        web, database = web_and_database(site.lab)
        spent.append((cpu_seconds(web), cpu_seconds(database)))

    reports = _drive_in_processes(load, processes, note)
    said = [one for report in reports for one in report.said]
    latencies = [1000 * seconds for report in reports for seconds in report.latencies]
    seconds = max(report.ended for report in reports) - min(report.began for report in reports)
    difference = compare(site.lab, said)
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    web, database = (after - before for before, after in zip(*spent, strict=True))
    bots = sum(report.cpu_seconds for report in reports)
    return Result(
        bots=load.bots * processes,
        answers=len(said),
        seconds=round(seconds, 1),
        throughput=round(len(said) / seconds, 1),
        p50_ms=round(cuts[49], 1),
        p95_ms=round(cuts[94], 1),
        p99_ms=round(cuts[98], 1),
        lost=difference.lost,
        doubled=difference.doubled,
        reconnects=sum(report.reconnects for report in reports),
        cpu_ms_web=round(1000 * web / len(said), 2),
        cpu_ms_database=round(1000 * database / len(said), 2),
        cpu_ms_bots=round(1000 * bots / len(said), 2),
        load_average_before=round(busy, 1),
    )


def said_by(load: Load, *, processes: int) -> list[Said]:
    """What the bots of a load said."""
    reports = _drive_in_processes(load, processes, lambda: None)
    return [one for report in reports for one in report.said]


def _drive_in_processes(load: Load, processes: int, note: Callable[[], None]) -> list[Report]:
    """`note` is called when all bots are ready, and when they have answered."""
    context = multiprocessing.get_context("spawn")  # nothing of this process's connections may be shared
    ready, start, answered, leave = (
        context.Semaphore(0), context.Event(), context.Semaphore(0), context.Event()
    )  # fmt: skip
    with context.Manager() as manager:
        reports: Any = manager.list()
        loads = [replace(load, seed=load.seed + number) for number in range(processes)]
        steps = (ready, start, answered, leave)
        started = [context.Process(target=_child, args=(one, steps, reports)) for one in loads]
        for process in started:
            process.start()
        for all_have, next_step in ((ready, start), (answered, leave)):
            for _ in started:
                if not all_have.acquire(timeout=READY_SECONDS):
                    raise TimeoutError(f"the bots did not go on within {READY_SECONDS:.0f} s")
            note()
            next_step.set()
        for process in started:
            process.join()
        if any(process.exitcode for process in started):
            raise RuntimeError("a process of bots failed; its traceback is above")
        return list(reports)


def _child(load: Load, steps: Any, reports: list[Report]) -> None:
    reports.append(drive(load, steps))
