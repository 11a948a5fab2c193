"""How many answers a second are stored, how fast, and whether each is there once.

    python -m tests.benchmarks.load --json load.json

On a PostgreSQL and a gunicorn of its own, as they are shipped; the bots share the processor with them. One
request an answer, each committed and synced to disk before it is acknowledged. Fails if an answer is lost or
doubled.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from survey_site.stack.embedded import EmbeddedServers
from survey_site.stack.ports import free_port
from tests.benchmarks.load.bots import Load
from tests.benchmarks.load.run import PROCESSES, Result, run
from tests.e2e.survey import SurveySite
from tests.lab import Lab
from tests.servers import StackServers

TRIALS = {"long": 200, "short": 40}  # that one session has, by study
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True)
class Scenario:
    """`bots` in all; each gives `answers`, `pause_s` give or take `spread_s` apart."""

    title: str
    study: str
    bots: int
    answers: int
    pause_s: float = 0.0
    spread_s: float = 0.0

    def load(self, port: int) -> Load:
        """Of one process of bots."""
        return Load(
            port=port,
            study=f"study-{self.study}",
            bots=self.bots // PROCESSES,
            sessions=-(-self.answers // TRIALS[self.study]),
            answers=self.answers,
            pause_s=self.pause_s,
            spread_s=self.spread_s,
            seed=7,
        )


def scenarios(seconds: float) -> dict[str, Scenario]:
    """About `seconds` each, where the server keeps up."""
    return {
        "full": Scenario("full load: 32 bots without a pause", "long", 32, max(4, round(25 * seconds))),
        "hundred": Scenario(
            "100 bots, 750 ± 250 ms apart", "short", 100, max(2, round(seconds / 0.75)), 0.75, 0.25
        ),
        "five_hundred": Scenario("500 bots, 2 s apart", "short", 500, max(2, round(seconds / 2)), 2.0),
    }


def measured(lab: Lab, wanted: Iterable[Scenario]) -> Iterator[tuple[Scenario, Result]]:
    site = SurveySite(lab)
    site.start()
    site.open_studies(**{study: {"n": n, "n_catch": 0} for study, n in TRIALS.items()})
    for scenario in wanted:
        yield scenario, run(site, scenario.load(lab.servers.port))


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="about so long for each load")
    parser.add_argument("--only", choices=sorted(scenarios(1)))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(words)
    wanted = scenarios(given.seconds)
    folder = Path(tempfile.mkdtemp(prefix="irisurvey-load-"))
    servers = EmbeddedServers(folder)
    connection = servers.start()
    lab = Lab(StackServers("embedded", connection.database_url, connection.broker_url, folder, free_port()))
    loads: list[dict[str, Any]] = []
    try:
        for scenario, result in measured(lab, [wanted[given.only]] if given.only else wanted.values()):
            loads.append({"title": scenario.title, **asdict(result)})
            sys.stdout.write("".join(f"{name}: {value}\n" for name, value in loads[-1].items()) + "\n")
            sys.stdout.flush()
        durability = {name: lab.value(f"SHOW {name}") for name in DURABLE}
    finally:
        lab.close()
        servers.stop()
        shutil.rmtree(folder)
    if given.json:
        report = {"processors": os.cpu_count(), "durability": durability, "loads": loads}
        given.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(one["lost"] == one["doubled"] == 0 for one in loads) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
