"""What one step costs: the reference, the library with the same algorithm, and the least that is possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.benchmarks.iri.kept_memory import MemorySetting, pass_loop
from tests.benchmarks.iri.peers import Loop, Peer
from tests.benchmarks.iri.reference import Reference
from tests.benchmarks.iri.subjects import RESNET18, STAGES, photographs
from tests.benchmarks.iri.timing import WARM_UP, Estimate, estimate, in_turn, ratios
from workers.iri.memory import keep_freed_memory
from workers.iri.recipe import preset
from workers.iri.search import Search, Work
from workers.iri.start_images import make_start

# Both compute in float32, in another order; a normalised step carries what differs on.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class StepCost:
    """`speedup`: reference over library. `overhead`: library over bare passes, less 1. Seconds a step.

    `kept_memory`: what of the speedup the reference gains by `keep_freed_memory` alone.
    """

    stage: str
    layer: str
    speedup: Estimate
    kept_memory: Estimate
    overhead: Estimate
    reference_seconds: Estimate
    library_seconds: Estimate
    bare_seconds: Estimate
    largest_difference: float


@dataclass(frozen=True)
class StepSetting:
    size: int = 224
    batch: int = 8
    rounds: int = 15


QUICK = StepSetting(size=32, batch=2, rounds=3)


def step_costs(
    setting: StepSetting, on_round: Callable[[], None], stages: Sequence[str] = STAGES
) -> list[StepCost]:
    """One row a stage. Raises AssertionError where library and reference don't agree."""
    layers = dict(zip(STAGES, RESNET18.layers, strict=True))
    return [_step_cost(stage, layers[stage], setting, on_round) for stage in stages]


def _step_cost(stage: str, layer: str, setting: StepSetting, on_round: Callable[[], None]) -> StepCost:
    with (
        Peer(reference_loop, layer, setting) as reference,
        Peer(reference_loop, layer, setting, True) as kept,
        Peer(library_loop, layer, setting) as library,
        Peer(pass_loop, RESNET18, layer, MemorySetting(setting.size, setting.batch), True) as bare,
    ):
        peers = {"reference": reference, "kept": kept, "library": library, "bare": bare}
        seconds = in_turn({name: peer.step for name, peer in peers.items()}, setting.rounds, on_round)
        difference = _difference(reference.errors(), library.errors())
    if difference > TOLERANCE:
        raise AssertionError(f"{layer}: errors differ by {difference:g}; allowed: {TOLERANCE:g}")
    overhead = ratios(seconds["library"], seconds["bare"])
    return StepCost(
        stage=stage,
        layer=layer,
        speedup=ratios(seconds["reference"], seconds["library"]),
        kept_memory=ratios(seconds["reference"], seconds["kept"]),
        overhead=Estimate(overhead.median - 1, overhead.low - 1, overhead.high - 1, overhead.rounds),
        reference_seconds=estimate(seconds["reference"]),
        library_seconds=estimate(seconds["library"]),
        bare_seconds=estimate(seconds["bare"]),
        largest_difference=difference,
    )


def reference_loop(layer: str, setting: StepSetting, is_memory_kept: bool = False) -> Loop:
    """The search as it is usually written, in a process left as it is, or told to keep freed memory."""
    if is_memory_kept:
        keep_freed_memory()
    reference = Reference(RESNET18.build(), layer, *_images(setting))
    return Loop(reference.step, lambda: reference.errors)


def library_loop(layer: str, setting: StepSetting) -> Loop:
    """The library with the paper's own descent."""
    # One more step than is taken: the last look at the iterates is left out, as the reference never takes it.
    steps = setting.rounds + WARM_UP + 1
    recipe = preset("reg_free_paper", image_size=setting.size, steps=steps, relu_passthrough=False)
    targets, _ = _images(setting)
    works = [Work(target, seed, recipe) for seed, target in enumerate(targets)]
    search = Search(RESNET18.build(), layer, works, batch_size=setting.batch)
    return Loop(search.step, search.least_errors)


def _images(setting: StepSetting) -> tuple[Tensor, Tensor]:
    """Targets and start images."""
    start = preset("reg_free_paper").start
    starts = [make_start(start, setting.size, seed) for seed in range(setting.batch)]
    return photographs(setting.batch, setting.size), torch.stack(starts)


def _difference(one: list[float], other: list[float]) -> float:
    return max(abs(mine - theirs) / theirs for mine, theirs in zip(one, other, strict=True))
