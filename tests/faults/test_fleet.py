"""A small fleet with random kills: python -m tests.benchmarks.fleet runs the large one."""

from __future__ import annotations

import pytest

from tests.benchmarks.fleet import Plan, run
from tests.faults.site import FaultySite

pytestmark = pytest.mark.broker


def test_a_fleet_with_random_kills_does_every_chunk_once(site: FaultySite) -> None:
    plan = Plan(workers=6, chunks=60, kills=3, seed=7, inversion_seconds=0.2)
    result = run(site, plan)
    assert (result.chunks_done, result.lost, result.doubled, result.workers_killed) == (60, 0, 0, 3)
    assert result.overhead_ms > 0
    assert result.cpu_ms_workers > 0
    assert result.cpu_ms_database > 0
