"""How exactly reaction times are recorded, and how soon the next trial is on the screen.

    python -m tests.benchmarks.timing --json timing.json

In headless Chromium, on a site of its own; once on loopback as it is, once with 200 ms of round trip and 1 %
of replies lost. docs/timing.md explains the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from survey_site.stack.embedded import EmbeddedServers
from survey_site.stack.ports import free_port
from tests.benchmarks.timing.watched import Pressed, answer_by_key
from tests.e2e.bad_network import BadNetwork, Trouble
from tests.e2e.conftest import find_chromium
from tests.e2e.survey import SurveySite
from tests.lab import Lab
from tests.servers import StackServers

NETWORKS = {
    "loopback": Trouble(drop=0.0, double=0.0, overtake=0.0),
    "200 ms, 1 % lost": Trouble(drop=0.01, double=0.0, overtake=1.0, delay_s=(0.2, 0.2)),
}
RECORDED = """
SELECT r.presentation_id::text, r.rt_raw_ms, r.refresh_hz, r.frames_dropped
FROM participation_response r WHERE r.presentation_id = ANY(%s::uuid[])
"""


@dataclass(frozen=True)
class Timing:
    """Milliseconds. `error`: recorded less true reaction time; `next`: from a key to the next paint."""

    network: str
    trials: int
    frame_ms: float
    error_median_ms: float
    error_p95_abs_ms: float
    error_max_abs_ms: float
    next_median_ms: float
    next_p95_ms: float
    frames_dropped_per_trial: float
    load_average: float


def timing(network: str, pressed: Sequence[Pressed], recorded: Iterable[Sequence[Any]]) -> Timing:
    """`recorded`: presentation, raw reaction time, refresh rate and dropped frames of each answer stored."""
    rows = {presentation: row for presentation, *row in recorded}
    errors = [rows[one.presentation][0] - (one.pressed_ms - one.painted_ms) for one in pressed]
    following = [after.painted_ms - before.pressed_ms for before, after in pairwise(pressed)]
    rates = [hz for _, hz, _ in rows.values() if hz]
    return Timing(
        network=network,
        trials=len(pressed),
        frame_ms=round(1000 / statistics.median(rates), 1),
        error_median_ms=round(statistics.median(errors), 1),
        error_p95_abs_ms=round(_p95([abs(error) for error in errors]), 1),
        error_max_abs_ms=round(max(abs(error) for error in errors), 1),
        next_median_ms=round(statistics.median(following), 1),
        next_p95_ms=round(_p95(following), 1),
        frames_dropped_per_trial=round(statistics.mean(dropped for *_, dropped in rows.values()), 2),
        load_average=round(os.getloadavg()[0], 1),
    )


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[18]


def measure(lab: Lab, browser: Browser, trials: int) -> list[Timing]:
    site = SurveySite(lab)
    site.start()
    paths = site.open_studies(
        timing={"n": trials, "n_catch": 0, "fixation_ms": 0, "break_every": 0, "completion_code": "CODE"}
    )
    found = []
    for seed, (name, trouble) in enumerate(NETWORKS.items()):
        with BadNetwork(lab.servers.port, trouble, seed=seed) as network:
            address = f"http://127.0.0.1:{network.port}{paths['timing']}"
            pressed = answer_by_key(browser, address, trials, seed=seed)
        found.append(timing(name, pressed, lab.rows(RECORDED, [one.presentation for one in pressed])))
    return found


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(words)
    folder = Path(tempfile.mkdtemp(prefix="irisurvey-timing-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        servers = stack.enter_context(EmbeddedServers(folder))
        urls = servers.postgres.url, servers.broker.url
        lab = Lab(StackServers("embedded", *urls, folder, free_port()))
        stack.callback(lab.close)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        found = [asdict(one) for one in measure(lab, browser, given.trials)]
        browser.close()
    report = json.dumps(found, indent=2)
    sys.stdout.write(f"{report}\n")
    if given.json:
        given.json.write_text(f"{report}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
