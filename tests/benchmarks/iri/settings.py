"""The lowest error that settings of the search reach at each stage in a fixed budget of steps."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tests.benchmarks.iri.subjects import STAGES, TRAINED, photographs
from tests.benchmarks.iri.time_to_match import decoded_errors
from workers.iri.inversion import invert
from workers.iri.networks import BuiltNetwork
from workers.iri.recipe import Optimizer, Recipe, Start, Term, preset
from workers.iri.start_images import Pool

# Recipes one after the other, each from what the one before it found.
Stages = tuple[Recipe, ...]


@dataclass(frozen=True)
class FloorSetting:
    size: int = 96
    photographs: int = 8
    steps: int = 240
    names: tuple[str, ...] = ()


QUICK = FloorSetting(size=64, photographs=2, steps=12, names=("Adam 0.1", "the paper's"))


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


def settings(size: int, steps: int) -> Mapping[str, Stages]:
    """Ways to descend by what the setting is called. All bring one layer's response to the target's."""
    alone: dict[str, Stages] = {
        name: (recipe,) for name, recipe in (_descents(size, steps) | _scalings(size, steps)).items()
    }
    return alone | _multi_stage(size, steps)


def _base(size: int, steps: int) -> Recipe:
    recipe = preset("reg_free")
    return replace(recipe, image_size=size, steps=steps, finish_below=None, optimizer=Optimizer("adam", 0.1))


def _descents(size: int, steps: int) -> dict[str, Recipe]:
    """They differ in how they descend and in where they start, never in what they minimise."""
    base = _base(size, steps)
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


def _scalings(size: int, steps: int) -> dict[str, Recipe]:
    """The loss multiplied, or another distance beside it: the gradient's size and direction."""
    fast = replace(_base(size, steps), optimizer=Optimizer("adam", 0.07))
    lbfgs = replace(fast, optimizer=Optimizer("lbfgs", 1.0, "constant"))
    linf = Term(weight=0.1, distance="linf")
    return {
        "loss x 1000, Adam 0.07": replace(fast, objective=(Term(weight=1000),)),
        "loss x 100, L-BFGS": replace(lbfgs, objective=(Term(weight=100),)),
        "cosine distance beside, Adam 0.07": replace(fast, objective=(Term(), Term(distance="cosine"))),
        "0.1 L-infinity beside, Adam 0.07": replace(fast, objective=(Term(), linf)),
    }


def _multi_stage(size: int, steps: int) -> dict[str, Stages]:
    """As many steps as the others take, in two parts or four."""
    half = replace(_base(size, steps // 2), optimizer=Optimizer("adam", 0.1))
    coarse, quarter = replace(half, image_size=size // 2), replace(half, steps=steps // 4)
    slow = Optimizer("adam", 0.05)
    lbfgs = Optimizer("lbfgs", 1.0, "constant")
    return {
        "coarse to fine, Adam 0.1": (coarse, half),
        "coarse to fine, Adam 0.1 then 0.05": (coarse, replace(half, optimizer=slow)),
        "twice, Adam 0.1 then 0.05": (half, replace(half, optimizer=slow)),
        "a quarter Adam 0.1, then L-BFGS": (quarter, replace(half, steps=3 * steps // 4, optimizer=lbfgs)),
    }


def chosen(setting: FloorSetting) -> tuple[str, ...]:
    """The settings to run: those named, or all. Raises ValueError for a name that is none."""
    known = tuple(settings(setting.size, setting.steps))
    unknown = [name for name in setting.names if name not in known]
    if unknown:
        raise ValueError(f"there is no setting {unknown[0]!r}; allowed: {'; '.join(known)}")
    return setting.names or known


def floors(setting: FloorSetting, on_search: Callable[[], None]) -> list[Floor]:
    """One row a setting and stage, of the first trained network."""
    subject = TRAINED[0]
    network = subject.build()
    known = settings(setting.size, setting.steps)
    rows = []
    for stage, layer in zip(STAGES, subject.layers, strict=True):
        for name in chosen(setting):
            rows.append(_floor(name, known[name], network, stage, layer, setting.photographs))
            on_search()
    return rows


def _floor(name: str, stages: Stages, network: BuiltNetwork, stage: str, layer: str, count: int) -> Floor:
    began = time.perf_counter()
    images = descend(stages, network, layer, count)
    seconds = time.perf_counter() - began
    errors = decoded_errors(network, layer, images, photographs(count, stages[-1].image_size))
    return Floor(name, stage, layer, tuple(errors), seconds)


def descend(stages: Stages, network: BuiltNetwork, layer: str, count: int) -> Tensor:
    """The images (count, 3, h, w) that the last stage found."""
    first, *later = stages
    images = invert(network, layer, photographs(count, first.image_size), first, range(count)).images
    for recipe in later:
        size = recipe.image_size
        images = interpolate(images, (size, size), mode="bilinear").clamp(0, 1)
        targets = photographs(count, size)
        images = torch.cat(
            [_gone_on(recipe, network, layer, *pair) for pair in zip(targets, images, strict=True)]
        )
    return images


def _gone_on(recipe: Recipe, network: BuiltNetwork, layer: str, target: Tensor, start: Tensor) -> Tensor:
    """What a recipe finds (1, 3, h, w) from a given image: the nearest of a pool that has no other."""
    from_it = replace(recipe, start=Start("natural", choice="nearest"))
    pool = Pool(start[None], ("",))
    return invert(network, layer, target[None], from_it, [0], pool=pool).images
