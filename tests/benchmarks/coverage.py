"""How often intervals cover the truth in simulated studies: python -m tests.benchmarks.coverage.

One answer per participant and item, or everybody answers a third of the items; effects of participants and
items are normal on the logit scale, and the truth is the expected share over both. The Monte-Carlo error of a
coverage of .95 in 1,000 studies is .007. `make coverage` writes docs/coverage.md.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from survey_site.analysis.cells import CellTable
from survey_site.analysis.intervals import Interval, cluster, twoway, wilson
from survey_site.analysis.sample_size import PilotEffects, simulated_tables

PARTICIPANTS = (10, 20, 50, 100, 200)
ITEMS = (10, 30)
SHARES = (0.6, 0.85)
EFFECTS = {"none": (0.0, 0.0), "weak": (0.4, 0.4), "strong": (1.0, 1.0)}
METHODS = ("twoway", "cluster", "wilson")
LEAST, MOST = 0.93, 0.97
RNG_SEED = 2023
A_THIRD = "a third"

HEAD = """\
# Coverage of the 95 % intervals

Made by `make coverage`: {n} simulated studies a row, with one answer per participant and item, or (a third)
everybody answers a third of the items, drawn at random; effects of participants and items are normal on the
logit scale with standard deviation 0 (none), .4 (weak) or 1 (strong) each. The truth is the expected share
over people and items. Monte-Carlo error of a coverage of .95: {error:.3f}. Bold: outside .93 to .97. `width`
is the mean width. `twoway` is the default, `cluster` the cluster sums of statsmodels with t on min(P, I) - 1.
`wilson` counts every answer as independent and stands here to show what that costs.
"""


@dataclass(frozen=True)
class Case:
    """One kind of study."""

    participants: int
    items: int
    effects: str
    share: float
    layout: str = "complete"


def cases() -> Iterator[Case]:
    for participants, items, effects, share in product(PARTICIPANTS, ITEMS, EFFECTS, SHARES):
        yield Case(participants, items, effects, share)
    for participants, effects, share in product(PARTICIPANTS, EFFECTS, SHARES):
        yield Case(participants, max(ITEMS), effects, share, A_THIRD)


def coverage(case: Case, n: int) -> dict[str, tuple[float, float]]:
    """Share of `n` studies whose interval covers the truth, and the mean width, by method."""
    rng = np.random.default_rng(
        np.random.SeedSequence(RNG_SEED, spawn_key=(case.participants, case.items, int(case.share * 100)))
    )
    participant_sd, item_sd = EFFECTS[case.effects]
    effects = PilotEffects(share=case.share, participant_sd=participant_sd, item_sd=item_sd)
    tables = simulated_tables(effects, case.participants, case.items, n, rng)
    if case.layout == A_THIRD:
        tables = [a_third_of(table, rng) for table in tables]
    found: dict[str, tuple[float, float]] = {}
    for method in METHODS:
        intervals = [interval_of(table, method) for table in tables]
        covered = float(np.mean([i.low <= case.share <= i.high for i in intervals]))
        found[method] = covered, float(np.mean([i.high - i.low for i in intervals]))
    return found


def a_third_of(table: CellTable, rng: np.random.Generator) -> CellTable:
    """Every participant keeps the answers to a third of the items."""
    people, items = table.answers.shape
    kept = np.zeros((people, items), dtype=np.int64)
    kept[:, : items // 3] = 1
    kept = rng.permuted(kept, axis=1)
    return CellTable(table.answers * kept, table.hits * kept)


def interval_of(table: CellTable, method: str) -> Interval:
    if method == "wilson":
        return wilson(int(table.hits.sum()), table.n)
    return {"twoway": twoway, "cluster": cluster}[method](table)


def row(case: Case, found: dict[str, tuple[float, float]]) -> str:
    cells = [str(case.participants), str(case.items), case.layout, case.effects, f"{case.share:.2f}"]
    for method in METHODS:
        covered, width = found[method]
        text = f"{covered:.3f}"
        cells += [text if LEAST <= covered <= MOST else f"**{text}**", f"{width:.3f}"]
    return "| " + " | ".join(cells) + " |"


def summary(results: dict[Case, dict[str, tuple[float, float]]]) -> str:
    lines = []
    for method in METHODS:
        covered = [found[method][0] for found in results.values()]
        inside = sum(LEAST <= value <= MOST for value in covered)
        reach = f"from {min(covered):.3f} to {max(covered):.3f}"
        lines.append(f"- `{method}`: {inside} of {len(covered)} rows inside; {reach}.")
    return "\n".join(lines)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies a row; default: 1000")
    parser.add_argument("--markdown", type=Path, help="file to write the table to; default: standard output")
    arguments = parser.parse_args()
    results = {}
    for case in cases():
        results[case] = coverage(case, arguments.studies)
        sys.stderr.write(row(case, results[case]) + "\n")
    columns = ["participants", "items", "layout", "effects", "share"]
    columns += [name for method in METHODS for name in (method, "width")]
    table = [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *(row(*item) for item in results.items()),
    ]
    head = HEAD.format(n=arguments.studies, error=(0.95 * 0.05 / arguments.studies) ** 0.5)
    text = "\n".join([head, *table, "", summary(results), ""])
    if arguments.markdown:
        arguments.markdown.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
