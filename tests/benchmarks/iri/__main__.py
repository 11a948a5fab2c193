"""How fast the search for IRIs is, and how near it comes: the tables of docs/performance.md."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.benchmarks.iri import batching, gpu, hour, kept_memory, per_step, report, settings, time_to_match
from tests.benchmarks.iri.subjects import STAGES, TRAINED
from tests.benchmarks.iri.timing import WARM_UP
from workers.iri.compiling import COMPILERS
from workers.iri.devices import DeviceError, checked_device
from workers.iri.precision import PRECISIONS
from workers.iri.provenance import provenance
from workers.iri.recipe import PRESETS, Optimizer, Recipe, RecipeError, preset

# What a CPU is measured by. The parts gpu and hour are run where they are asked for.
USUAL = ("steps", "memory", "match", "settings", "batching")
PARTS = (*USUAL, "gpu", "hour")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts asked for, show their tables, and write everything to the file."""
    given = _parser().parse_args(arguments)
    console = Console()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        results: dict[str, Any] = {"machine": provenance(given.device), "quick": given.quick}
        for part in given.parts:
            rows, table = _RUNS[part](given, progress)
            results[part] = [asdict(row) for row in rows]
            progress.console.print(table)
            given.json.write_text(json.dumps(results, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.iri", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file for the results")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: minutes instead of hours")
    parser.add_argument("--parts", type=_parts, default=USUAL, help=f"some of {','.join(PARTS)}")
    parser.add_argument(
        "--cache", type=Path, help="folder of the reference's long descents, to go on with and to use again"
    )
    parser.add_argument(
        "--recipe",
        choices=sorted(PRESETS),
        default="reg_free",
        help="of the part match: the preset to run",
    )
    parser.add_argument("--rate", type=_rate, help="of the part match: another learning rate of the recipe")
    parser.add_argument(
        "--device", type=_device, default="cpu", help="of the parts match, gpu and hour: cpu, cuda or cuda:N"
    )
    parser.add_argument(
        "--weights", type=Path, help="of the part gpu: a file of ResNet-50's weights; without one random ones"
    )
    parser.add_argument(
        "--network",
        action="append",
        choices=[case.network for case in hour.CASES],
        help="of the part hour only this network; may be given several times",
    )
    parser.add_argument(
        "--batch",
        action="append",
        type=int,
        help="of the part hour: images at a time; the last is done whole",
    )
    both = "of the parts gpu and hour only this; may be given several times"
    parser.add_argument("--precision", action="append", choices=PRECISIONS, help=both)
    parser.add_argument("--compiler", action="append", choices=COMPILERS, help=both)
    parser.add_argument(
        "--layer", action="append", help="of the part gpu only this; may be given several times"
    )
    parser.add_argument(
        "--setting",
        action="append",
        metavar="NAME",
        help="of the part settings only the row of this name; may be given several times",
    )
    return parser


def _rate(text: str) -> float:
    try:
        return float(Optimizer(learning_rate=float(text)).learning_rate or 0)
    except RecipeError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(","))
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown part {unknown[0]!r}; allowed: {', '.join(PARTS)}")
    return parts


def _device(text: str) -> torch.device:
    try:
        return checked_device(text)
    except DeviceError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _advance(progress: Progress, name: str, total: int) -> Callable[[], None]:
    task = progress.add_task(name, total=total)
    return lambda: progress.advance(task)


def _steps(given: argparse.Namespace, progress: Progress) -> tuple[Sequence[Any], Table]:
    setting = per_step.QUICK if given.quick else per_step.StepSetting()
    advance = _advance(progress, "a step", len(STAGES) * (setting.rounds + WARM_UP))
    rows = per_step.step_costs(setting, advance)
    return rows, report.step_table(rows)


def _memory(given: argparse.Namespace, progress: Progress) -> tuple[Sequence[Any], Table]:
    setting = kept_memory.QUICK if given.quick else kept_memory.MemorySetting()
    total = len(kept_memory.SUBJECTS) * len(STAGES) * (setting.rounds + WARM_UP)
    rows = kept_memory.memory_gains(setting, _advance(progress, "kept memory", total))
    return rows, report.memory_table(rows)


def _match(given: argparse.Namespace, progress: Progress) -> tuple[Sequence[Any], Table]:
    setting = time_to_match.setting_for(given.device, given.quick)
    subjects = TRAINED[:1] if given.quick else TRAINED
    total = len(subjects) * len(STAGES) * setting.reference_steps
    advance = _advance(progress, "time to the reference's error", total)
    rows = time_to_match.matches(subjects, setting, given.cache, advance, _recipe(given), device=given.device)
    return rows, report.match_table(rows)


def _recipe(given: argparse.Namespace) -> Recipe:
    recipe = preset(given.recipe)
    if given.rate is None:
        return recipe
    return replace(recipe, optimizer=replace(recipe.optimizer, learning_rate=given.rate))


def _settings(given: argparse.Namespace, progress: Progress) -> tuple[Sequence[Any], Table]:
    setting = settings.QUICK if given.quick else settings.FloorSetting()
    if given.setting:
        setting = replace(setting, names=tuple(given.setting))
    names = settings.chosen(setting)
    rows = settings.floors(setting, _advance(progress, "settings", len(STAGES) * len(names)))
    return rows, report.floor_table(rows)


def _batching(given: argparse.Namespace, progress: Progress) -> tuple[Sequence[Any], Table]:
    setting = batching.QUICK if given.quick else batching.BatchingSetting()
    rows = batching.batchings(setting, _advance(progress, "other batches", len(STAGES)))
    return rows, report.batching_table(rows)


def _gpu(given: argparse.Namespace, progress: Progress) -> tuple[Sequence[Any], Table]:
    setting = gpu.QUICK if given.quick else replace(gpu.GpuSetting(), weights=given.weights)
    setting = replace(setting, **_chosen(given, "layer", "precision", "compiler"))
    total = len(gpu.variants(setting, given.device))
    rows = gpu.gpu_costs(setting, given.device, _advance(progress, f"a search on {given.device}", total))
    return rows, report.gpu_table(rows)


def _chosen(given: argparse.Namespace, *names: str) -> dict[str, Any]:
    """A setting's tuples, of those options that were given."""
    return {f"{name}s": tuple(getattr(given, name)) for name in names if getattr(given, name)}


def _hour(given: argparse.Namespace, progress: Progress) -> tuple[Sequence[Any], Table]:
    setting = hour.QUICK if given.quick else hour.HourSetting()
    setting = replace(setting, **_chosen(given, "precision", "compiler"))
    if given.network:
        setting = replace(setting, cases=tuple(one for one in setting.cases if one.network in given.network))
    if given.batch:
        setting = replace(setting, batches=tuple(given.batch), whole=given.batch[-1])
    rows = hour.hours(setting, given.device, _advance(progress, "IRIs an hour", hour.count(setting)))
    return rows, report.hour_table(rows)


_RUNS: dict[str, Callable[[argparse.Namespace, Progress], tuple[Sequence[Any], Table]]] = {
    "steps": _steps,
    "memory": _memory,
    "match": _match,
    "settings": _settings,
    "batching": _batching,
    "gpu": _gpu,
    "hour": _hour,
}


if __name__ == "__main__":
    main()
