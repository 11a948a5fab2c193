"""The benchmark's results as tables for the screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from tests.benchmarks.iri.batching import Batching
from tests.benchmarks.iri.gpu import GpuCost
from tests.benchmarks.iri.hour import Hour
from tests.benchmarks.iri.kept_memory import MemoryGain
from tests.benchmarks.iri.per_step import StepCost
from tests.benchmarks.iri.settings import Floor
from tests.benchmarks.iri.time_to_match import Match


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table


def step_table(rows: Sequence[StepCost]) -> Table:
    table = _table(
        "A step, ResNet-18, same algorithm: median of rounds taken in turn (95 % interval)",
        "stage", "layer", "reference / library", "of it kept memory", "library / bare − 1", "ms a step",
        "largest difference",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row.stage,
            row.layer,
            str(row.speedup),
            str(row.kept_memory),
            str(row.overhead),
            f"{1000 * row.library_seconds.median:.1f}",
            f"{row.largest_difference:.1e}",
        )
    return table


def memory_table(rows: Sequence[MemoryGain]) -> Table:
    table = _table(
        "A pass where freed memory is kept: times faster (95 % interval)",
        "network", "stage", "layer", "gain", "ms a pass",
    )  # fmt: skip
    for row in rows:
        milliseconds = f"{1000 * row.kept_seconds.median:.0f}"
        table.add_row(row.network, row.stage, row.layer, str(row.gain), milliseconds)
    return table


def match_table(rows: Sequence[Match]) -> Table:
    table = _table(
        "Time to the reference's error, on the decoded PNG: times less",
        "network", "stage", "reached", "median image",
        "all images", "= per step", "× fewer steps", "× dropping",
    )  # fmt: skip
    for row in rows:
        reached = sum(image.is_reached for image in row.images)
        table.add_row(
            row.network,
            row.stage,
            f"{reached} of {len(row.images)}",
            f"{row.median_speedup:.1f}",
            f"{row.speedup:.1f}",
            f"{row.per_step:.2f}",
            f"{row.fewer_steps:.2f}",
            f"{row.dropping:.2f}",
        )
    return table


def floor_table(rows: Sequence[Floor]) -> Table:
    stages = list(dict.fromkeys(row.stage for row in rows))
    table = _table("Lowest relative error, median (largest) of the photographs", "setting", *stages)
    for name in dict.fromkeys(row.setting for row in rows):
        cells = {row.stage: row for row in rows if row.setting == name}
        table.add_row(
            name, *(f"{cells[stage].median:.3f} ({max(cells[stage].errors):.3f})" for stage in stages)
        )
    return table


def gpu_table(rows: Sequence[GpuCost]) -> Table:
    table = _table(
        "The search on one device, a step of the whole batch: median of rounds taken in turn (95 % interval)",
        "layer", "precision", "compiler", "steps / s", "share of bare passes", "channels-last, times",
        "matched", "matched / hour", "first step, s", "again: same PNG bytes", "change of error",
        "most memory",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row.layer,
            row.precision,
            row.compiler,
            f"{row.steps_per_second:.1f}",
            str(row.bare_share),
            str(row.channels_last),
            f"{row.matched} of {row.batch}",
            f"{row.matched_per_hour:.0f}",
            f"{row.first_step:.1f}",
            f"{100 * row.same_bytes:.0f} %",
            f"{row.error_change:.4f}",
            "" if row.peak_bytes is None else f"{row.peak_bytes / 2**30:.1f} GiB",
        )
    return table


def hour_table(rows: Sequence[Hour]) -> Table:
    table = _table(
        "IRIs an hour, every image all steps: median of rounds taken in turn (95 % interval)",
        "network", "px", "batch", "precision", "compiler", "ms a step", "reference / library",
        "IRIs an hour", "of that search", "GPU used", "most memory",
    )  # fmt: skip
    for row in rows:
        whole = row.whole
        table.add_row(
            row.network,
            str(row.size),
            str(row.batch),
            row.precision,
            row.compiler,
            f"{1000 * row.step.median:.1f}",
            str(row.speedup),
            f"{row.per_hour:.0f}",
            "steps alone" if whole is None else f"{100 * whole.search / whole.seconds:.0f} %",
            "" if whole is None or whole.used is None else f"{100 * whole.used:.0f} %",
            "" if row.peak_bytes is None else f"{row.peak_bytes / 2**30:.1f} GiB",
        )
    return table


def batching_table(rows: Sequence[Batching]) -> Table:
    table = _table(
        "One by one against all at once",
        "stage", "same PNG bytes", "values that differ", "mean change", "change of error", "repeated: same",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row.stage,
            f"{row.same_bytes} of {row.images}",
            f"{100 * row.pixels:.1f} %",
            f"{row.mean_change:.2f} of 255",
            f"{row.error_change:.4f}",
            "yes" if row.repeated else "no",
        )
    return table
