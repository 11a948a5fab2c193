"""FAULTS=all runs every fault, as `make faults` does; else a few, chosen by FAULTS_SEED.

A fault named on the command line (tests/faults/test_faults.py::test_...) always runs.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.site import FaultySite
from tests.faults.table import Report

SELECTED = 3


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    faults = [item for item in items if Path(__file__).parent in item.path.parents]
    if os.environ.get("FAULTS") == "all" or any("::" in word for word in config.args):
        return
    quick = [item for item in faults if not item.get_closest_marker("slow_fault")]
    seed = os.environ.get("FAULTS_SEED", "7")
    chosen = random.Random(seed).sample(quick, min(SELECTED, len(quick)))
    left_out = [item for item in faults if item not in chosen]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def site() -> Iterator[FaultySite]:
    folder = Path(tempfile.mkdtemp(prefix="irisurvey-faults-"))
    site = FaultySite(folder)
    try:
        yield site
    finally:
        site.close()
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def nothing_asked_for(site: FaultySite) -> Iterator[None]:
    """Each test begins and ends without workers, messages and requests for faults."""
    yield
    site.dismiss()
    for request in site.faults.iterdir():
        request.unlink()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """What is appended is shown in the table at the end."""
    return Report(request.node)
