"""What one step costs: the reference, the library with the same algorithm, and the least that is possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.benchmarks.iri.reference import Reference
from tests.benchmarks.iri.subjects import RESNET18, STAGES, photographs
from tests.benchmarks.iri.timing import Estimate, estimate, in_turn, ratios
from workers.iri.networks import BuiltNetwork
from workers.iri.recipe import Recipe, preset
from workers.iri.responder import Responder
from workers.iri.search import Search, Work
from workers.iri.start_images import make_start

# Both compute in float32, in another order; a normalised step carries what differs on.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class StepCost:
    """`speedup`: reference over library. `overhead`: library over bare passes, less 1. Seconds a step."""

    stage: str
    layer: str
    speedup: Estimate
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


def step_costs(setting: StepSetting, on_round: Callable[[], None]) -> list[StepCost]:
    """One row a stage. Raises AssertionError where library and reference don't agree."""
    network = RESNET18.build()
    pairs = zip(STAGES, RESNET18.layers, strict=True)
    return [_step_cost(network, stage, layer, setting, on_round) for stage, layer in pairs]


def _step_cost(
    network: BuiltNetwork, stage: str, layer: str, setting: StepSetting, on_round: Callable[[], None]
) -> StepCost:
    # One step warms up; the last look at the iterates is left out, as the reference never takes it.
    recipe = preset(
        "reg_free_paper", image_size=setting.size, steps=setting.rounds + 2, relu_passthrough=False
    )
    targets = photographs(setting.batch, setting.size)
    starts = torch.stack([make_start(recipe.start, setting.size, seed) for seed in range(setting.batch)])
    reference = Reference(network, layer, targets, starts)
    search = _search(network, layer, targets, recipe)
    seconds = in_turn(
        {"reference": reference.step, "library": search.step, "bare": _bare(network, layer, setting, starts)},
        setting.rounds,
        on_round,
    )
    difference = _difference(reference.errors, search.least_errors())
    if difference > TOLERANCE:
        raise AssertionError(f"{layer}: errors differ by {difference:g}; allowed: {TOLERANCE:g}")
    overhead = ratios(seconds["library"], seconds["bare"])
    return StepCost(
        stage=stage,
        layer=layer,
        speedup=ratios(seconds["reference"], seconds["library"]),
        overhead=Estimate(overhead.median - 1, overhead.low - 1, overhead.high - 1, overhead.rounds),
        reference_seconds=estimate(seconds["reference"]),
        library_seconds=estimate(seconds["library"]),
        bare_seconds=estimate(seconds["bare"]),
        largest_difference=difference,
    )


def _search(network: BuiltNetwork, layer: str, targets: Tensor, recipe: Recipe) -> Search:
    works = [Work(target, seed, recipe) for seed, target in enumerate(targets)]
    return Search(network, layer, works, batch_size=len(targets))


def _bare(network: BuiltNetwork, layer: str, setting: StepSetting, starts: Tensor) -> Callable[[], None]:
    """Forward to the layer and backward to the image, and nothing else."""
    responder = Responder(network, [layer], setting.size, torch.device("cpu"))
    images = starts.contiguous(memory_format=torch.channels_last)

    def run() -> None:
        leaf = images.requires_grad_()
        torch.autograd.grad(responder.bare(leaf)[layer].sum(), leaf)

    return run


def _difference(one: list[float], other: list[float]) -> float:
    return max(abs(mine - theirs) / theirs for mine, theirs in zip(one, other, strict=True))
