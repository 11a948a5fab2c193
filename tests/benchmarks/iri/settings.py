"""The lowest error that settings of the search reach at each stage in a fixed budget of steps."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.benchmarks.iri.subjects import STAGES, TRAINED, photographs
from tests.benchmarks.iri.time_to_match import decoded_errors
from workers.iri.inversion import invert
from workers.iri.networks import BuiltNetwork
from workers.iri.recipe import Optimizer, Recipe, Start, preset


@dataclass(frozen=True)
class FloorSetting:
    size: int = 96
    photographs: int = 8
    steps: int = 240
    names: tuple[str, ...] = ()


QUICK = FloorSetting(size=32, photographs=2, steps=12, names=("Adam 0.1", "the paper's"))


@dataclass(frozen=True)
class Floor:
    """Relative errors of the decoded PNGs after all steps. `seconds`: wall time of the search."""

    setting: str
    stage: str
    layer: str
    errors: tuple[float, ...]
    seconds: float

    @property
    def median(self) -> float:
        return statistics.median(self.errors)


def settings(size: int, steps: int) -> Mapping[str, Recipe]:
    """Recipes that differ in how they descend and in where they start, never in what they minimise."""
    base = replace(preset("reg_free"), image_size=size, steps=steps, finish_below=None)
    longer = replace(base, steps=4 * steps)
    grey = Start("grey_noise")
    lbfgs = Optimizer("lbfgs", 1.0, "constant")
    return {
        "the paper's": replace(base, optimizer=Optimizer("normalized_gradient", 1.0, "constant")),
        **{
            f"Adam {rate:g}": replace(base, optimizer=Optimizer("adam", rate))
            for rate in (0.02, 0.05, 0.07, 0.1, 0.2)
        },
        "Adam 0.1, rate constant": replace(base, optimizer=Optimizer("adam", 0.1, "constant")),
        "Adam 0.1, halved 8 times": replace(base, optimizer=Optimizer("adam", 0.1, "halving")),
        "L-BFGS": replace(base, optimizer=lbfgs),
        "grey, Adam 0.05": replace(base, optimizer=Optimizer("adam", 0.05), start=grey),
        "grey, Adam 0.02": replace(base, optimizer=Optimizer("adam", 0.02), start=grey),
        "grey, L-BFGS": replace(base, optimizer=lbfgs, start=grey),
        "grey, sigmoid, Adam 0.3": replace(
            base, optimizer=Optimizer("adam", 0.3), parametrization="sigmoid", start=grey
        ),
        "grey, Fourier, Adam 0.02": replace(
            base, optimizer=Optimizer("adam", 0.02), parametrization="fourier", start=grey
        ),
        "4 x steps, Adam 0.1": longer,
        "4 x steps, Adam 0.05": replace(longer, optimizer=Optimizer("adam", 0.05)),
        "4 x steps, grey, Adam 0.02": replace(longer, optimizer=Optimizer("adam", 0.02), start=grey),
        "4 x steps, grey, L-BFGS": replace(longer, optimizer=lbfgs, start=grey),
    }


def floors(setting: FloorSetting, on_search: Callable[[], None]) -> list[Floor]:
    """One row a setting and stage, of the first trained network."""
    subject = TRAINED[0]
    network = subject.build()
    chosen = settings(setting.size, setting.steps)
    names = setting.names or tuple(chosen)
    rows = []
    for stage, layer in zip(STAGES, subject.layers, strict=True):
        for name in names:
            rows.append(_floor(name, chosen[name], network, stage, layer, setting.photographs))
            on_search()
    return rows


def _floor(name: str, recipe: Recipe, network: BuiltNetwork, stage: str, layer: str, count: int) -> Floor:
    targets = photographs(count, recipe.image_size)
    seeds: Sequence[int] = range(count)
    began = time.perf_counter()
    found = invert(network, layer, targets, recipe, seeds)
    seconds = time.perf_counter() - began
    errors = decoded_errors(network, layer, found.images, targets)
    return Floor(name, stage, layer, tuple(errors), seconds)
