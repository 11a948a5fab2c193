"""How long it takes to come as near as the reference comes in all its steps, on the decoded PNG."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from tests.benchmarks.iri import cache
from tests.benchmarks.iri.reference import CPU, Reference
from tests.benchmarks.iri.subjects import STAGES, Subject, photographs
from tests.benchmarks.iri.timing import now
from workers.iri.extractor import respond
from workers.iri.images import from_png, to_png
from workers.iri.lane import Found
from workers.iri.networks import BuiltNetwork
from workers.iri.objectives import relative_error
from workers.iri.recipe import Recipe, preset
from workers.iri.search import Search, Work
from workers.iri.start_images import make_start

REFERENCE_VERSION = 1


@dataclass(frozen=True)
class MatchSetting:
    """`every`: the library takes so many steps to one of the reference while both are timed."""

    size: int = 128
    photographs: int = 8
    reference_steps: int = 1000
    every: int = 4


ON_GPU = MatchSetting(size=224, reference_steps=5000)
QUICK = MatchSetting(size=32, photographs=2, reference_steps=20, every=2)


def setting_for(device: torch.device, is_quick: bool) -> MatchSetting:
    """What is measured on a device: larger images and more steps on a GPU than a CPU has time for."""
    if is_quick:
        return QUICK
    return ON_GPU if device.type == "cuda" else MatchSetting()


@dataclass(frozen=True)
class ImageMatch:
    """`speedup`: the reference's whole time over the time until this image was found; 0 if it never was."""

    reference_error: float
    library_error: float
    is_reached: bool
    steps: int
    seconds: float
    speedup: float


@dataclass(frozen=True)
class Match:
    """One network and stage. The three factors multiply to `speedup`, that of the whole batch.

    `per_step`: the reference's step over the library's, both with all images. `fewer_steps`: the reference's
    steps over those of the library's slowest image. `dropping`: what is gained by finished images leaving.
    """

    network: str
    stage: str
    layer: str
    images: tuple[ImageMatch, ...]
    speedup: float
    per_step: float
    fewer_steps: float
    dropping: float

    @property
    def median_speedup(self) -> float:
        return statistics.median(image.speedup for image in self.images)


def matches(
    subjects: Sequence[Subject],
    setting: MatchSetting,
    folder: Path | None,
    on_step: Callable[[], None],
    recipe: Recipe | None = None,
    stages: Sequence[str] = STAGES,
    device: torch.device = CPU,
) -> list[Match]:
    """One row a network and stage, of the recipe (the shipped default where None)."""
    chosen = replace(recipe or preset("reg_free"), image_size=setting.size)
    rows = []
    for subject in subjects:
        network = subject.build()
        layers = dict(zip(STAGES, subject.layers, strict=True))
        for stage in stages:
            layer = layers[stage]
            rows.append(_match(subject.name, network, stage, layer, chosen, setting, folder, on_step, device))
    return rows


def _match(
    name: str,
    network: BuiltNetwork,
    stage: str,
    layer: str,
    recipe: Recipe,
    setting: MatchSetting,
    folder: Path | None,
    on_step: Callable[[], None],
    device: torch.device,
) -> Match:
    targets = photographs(setting.photographs, setting.size)
    starts = torch.stack([make_start(recipe.start, setting.size, seed) for seed in range(len(targets))])
    reference = Reference(network, layer, targets, starts, device=device)
    file = _file(network, layer, setting, recipe, folder, device)
    cache.descend(reference, setting.reference_steps, file, on_step)
    wanted = decoded_errors(network, layer, reference.best.cpu(), targets)
    timed = _timed(network, layer, recipe, targets, starts, wanted, setting, device)
    whole = timed.reference_step * setting.reference_steps
    images = tuple(
        _image_match(network, layer, targets, found, timed.seconds[found.place], wanted[found.place], whole)
        for found in timed.found
    )
    total, slowest = max(timed.seconds.values()), max(found.steps_run for found in timed.found)
    return Match(
        network=name,
        stage=stage,
        layer=layer,
        images=images,
        speedup=whole / total,
        per_step=timed.reference_step / timed.library_step,
        fewer_steps=setting.reference_steps / slowest,
        dropping=slowest * timed.library_step / total,
    )


def _file(
    network: BuiltNetwork,
    layer: str,
    setting: MatchSetting,
    recipe: Recipe,
    folder: Path | None,
    device: torch.device,
) -> Path | None:
    if folder is None:
        return None
    facts: list[object] = [f"reference {REFERENCE_VERSION}", network.weights_sha256, layer, setting.size]
    if device.type != "cpu":
        facts.append(device.type)
    return folder / f"{cache.key(*facts, setting.photographs, recipe.start.rule)}.pt"


@dataclass(frozen=True)
class _Timed:
    """`seconds`: by image, the library's own time until it was found. Steps: medians, in seconds."""

    found: list[Found]
    seconds: dict[int, float]
    library_step: float
    reference_step: float


def _timed(
    network: BuiltNetwork,
    layer: str,
    recipe: Recipe,
    targets: Tensor,
    starts: Tensor,
    wanted: Sequence[float],
    setting: MatchSetting,
    device: torch.device,
) -> _Timed:
    """The library's search until every image is as near as wanted, a step of the reference now and then."""
    beside = Reference(network, layer, targets, starts, device=device)
    began = now(device)
    works = [
        Work(target, seed, replace(recipe, finish_below=min(1.0, wanted[seed])))
        for seed, target in enumerate(targets)
    ]
    search = Search(network, layer, works, batch_size=len(targets), device=device)
    spent = now(device) - began
    found: list[Found] = []
    seconds: dict[int, float] = {}
    library, reference = [], []
    while not search.is_finished:
        is_whole = len(search.places) == len(targets)
        began = now(device)
        new = search.step()
        took = now(device) - began
        spent += took
        found += new
        seconds |= {one.place: spent for one in new}
        if is_whole:
            library.append(took)
        if search.steps % setting.every == 1:
            began = now(device)
            beside.step()
            reference.append(now(device) - began)
    found.sort(key=lambda one: one.place)
    return _Timed(found, seconds, statistics.median(library or [spent]), statistics.median(reference))


def _image_match(
    network: BuiltNetwork,
    layer: str,
    targets: Tensor,
    found: Found,
    seconds: float,
    wanted: float,
    whole: float,
) -> ImageMatch:
    row = slice(found.place, found.place + 1)
    (error,) = decoded_errors(network, layer, found.image[None], targets[row])
    is_reached = error <= wanted * (1 + 1e-5)  # folded and plain network differ in the last bits
    return ImageMatch(wanted, error, is_reached, found.steps_run, seconds, whole / seconds * is_reached)


@torch.no_grad()
def decoded_errors(network: BuiltNetwork, layer: str, images: Tensor, targets: Tensor) -> list[float]:
    """Relative errors of the images as their PNGs show them, by the unaltered network."""
    shown = torch.stack([from_png(to_png(image)) for image in images])
    responses = (respond(network.module, layer, network.normalize(one)) for one in (shown, targets))
    return relative_error(*responses).tolist()
