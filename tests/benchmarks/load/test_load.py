"""A small load: python -m tests.benchmarks.load runs the large ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.benchmarks.load.bots import Load
from tests.benchmarks.load.oracle import Difference, compare
from tests.benchmarks.load.run import run, said_by
from tests.e2e.survey import SurveySite
from tests.lab import Lab
from tests.servers import StackServers

pytestmark = [pytest.mark.broker, pytest.mark.embedded_only]


@pytest.fixture(scope="module")
def site(stack_servers: StackServers) -> Iterator[SurveySite]:
    lab = Lab(stack_servers)
    try:
        site = SurveySite(lab)
        site.start()
        site.open_studies(small={"n": 10, "n_catch": 0})
        yield site
    finally:
        lab.close()


def load(site: SurveySite, **changes: object) -> Load:
    plan = Load(
        port=site.lab.servers.port,
        study="study-small",
        bots=3,
        sessions=2,
        answers=20,
        pause_s=0.0,
        spread_s=0.0,
        seed=7,
    )
    return replace(plan, **changes)  # type: ignore[arg-type]


def test_a_load_is_stored_once_and_measured(site: SurveySite) -> None:
    result = run(site, load(site))
    assert (result.bots, result.answers, result.lost, result.doubled) == (6, 120, 0, 0)
    assert 0 < result.p50_ms <= result.p95_ms <= result.p99_ms
    assert result.cpu_ms_web > 0


def test_the_oracle_sees_what_is_lost_and_what_nobody_said(site: SurveySite) -> None:
    said = said_by(load(site, bots=1, sessions=1, answers=10), processes=1)
    assert compare(site.lab, said) == Difference(lost=0, doubled=0)
    assert compare(site.lab, said[1:]) == Difference(lost=0, doubled=1)
    changed = [replace(said[0], option=1 - said[0].option), *said[1:]]
    assert compare(site.lab, changed) == Difference(lost=1, doubled=1)
