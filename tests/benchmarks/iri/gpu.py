"""The search on a GPU: ResNet-50, 224 px, batch of 32, by precision and compiler. Runs on a CPU too, tiny."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from tests.benchmarks.iri.subjects import photographs
from tests.benchmarks.iri.time_to_match import decoded_errors
from tests.benchmarks.iri.timing import WARM_UP, Estimate, estimate, in_turn, now, ratios
from workers.iri.compiling import CompiledExtractor
from workers.iri.extractor import Extractor
from workers.iri.folding import prepare
from workers.iri.images import to_png
from workers.iri.lane import Found
from workers.iri.networks import BuiltNetwork, NetworkSpec, build
from workers.iri.precision import PRECISIONS, computing, computing_back, layout
from workers.iri.recipe import Recipe, preset
from workers.iri.search import Search, Work


@dataclass(frozen=True)
class GpuSetting:
    """`weights`: a file for the network; random ones where None. `matched_below`: the relative error at which
    an image counts as matched and leaves, in its decoded PNG."""

    architecture: str = "resnet50"
    layers: tuple[str, ...] = ("layer1", "layer3", "avgpool")
    size: int = 224
    batch: int = 32
    rounds: int = 15
    steps: int = 240
    matched_below: float = 0.1
    precisions: tuple[str, ...] = PRECISIONS
    compilers: tuple[str, ...] = ("none", "inductor")
    weights: Path | None = None


QUICK = GpuSetting(
    architecture="resnet18",
    layers=("layer1",),
    size=32,
    batch=2,
    rounds=3,
    steps=30,
    matched_below=0.5,
    compilers=("none", "aot_eager"),
)


@dataclass(frozen=True)
class GpuCost:
    """One way to compute at one layer. `step`: seconds of one step of the whole batch.

    `bare_share`: the part of a step that passes forward to the layer and back take by themselves, by the same
    prepared network in the same way, timed in turn; `channels_last`: how many times faster they are with
    images and weights laid out channels-last than channel by channel.
    `matched`: images of `batch` whose decoded PNG is at or below the setting's error after a whole search,
    which took `seconds` after a first step of `first_step` seconds (compiling included).
    `same_bytes`: share of images that the same batch, searched for again, gives as the same PNG;
    `error_change`: the largest difference of their relative errors.
    `peak_bytes`: the most of the GPU's memory that the search held; None on a CPU.
    """

    layer: str
    precision: str
    compiler: str
    batch: int
    step: Estimate
    bare_share: Estimate
    channels_last: Estimate
    matched: int
    first_step: float
    seconds: float
    same_bytes: float
    error_change: float
    peak_bytes: int | None

    @property
    def steps_per_second(self) -> float:
        return 1 / self.step.median

    @property
    def matched_per_hour(self) -> float:
        return 3600 * self.matched / self.seconds


def variants(setting: GpuSetting, device: torch.device) -> list[tuple[str, str, str]]:
    """Layer, precision and compiler of each row. A CPU has no tf32."""
    precisions = [one for one in setting.precisions if device.type == "cuda" or one != "tf32"]
    return [
        (layer, precision, compiler)
        for layer in setting.layers
        for precision in precisions
        for compiler in setting.compilers
    ]


def gpu_costs(setting: GpuSetting, device: torch.device, on_variant: Callable[[], None]) -> list[GpuCost]:
    """One row a variant."""
    seed = 0 if setting.weights is None else None
    network = build(
        NetworkSpec("torchvision", setting.architecture, weights=setting.weights, random_seed=seed)
    )
    rows = []
    for layer, precision, compiler in variants(setting, device):
        rows.append(_Bench(network, setting, device, layer, precision, compiler).cost())
        on_variant()
    return rows


class _Bench:
    def __init__(
        self,
        network: BuiltNetwork,
        setting: GpuSetting,
        device: torch.device,
        layer: str,
        precision: str,
        compiler: str,
    ) -> None:
        self._network, self._setting, self._device = network, setting, device
        self._layer, self._precision, self._compiler = layer, precision, compiler
        some = photographs(min(8, setting.batch), setting.size)
        self._targets = some.repeat(-(-setting.batch // len(some)), 1, 1, 1)[: setting.batch]
        self._recipe = replace(preset("reg_free"), image_size=setting.size, steps=setting.steps)

    def cost(self) -> GpuCost:
        # One step more than is taken: the last look at the iterates is no step.
        timed = replace(self._recipe, steps=self._setting.rounds + WARM_UP + 1, finish_below=None)
        loops = {
            "search": self._search(timed).step,
            "bare": self._pass(layout(self._precision, self._device)),
            "last": self._pass(torch.channels_last),
            "planes": self._pass(torch.contiguous_format),
        }
        seconds = in_turn(
            {name: lambda run=run: self._timed(run) for name, run in loops.items()},  # type: ignore[misc]
            self._setting.rounds,
            lambda: None,
        )
        matched, first_step, whole, peak = self._matched()
        same_bytes, error_change = self._repeated()
        return GpuCost(
            layer=self._layer,
            precision=self._precision,
            compiler=self._compiler,
            batch=self._setting.batch,
            step=estimate(seconds["search"]),
            bare_share=ratios(seconds["bare"], seconds["search"]),
            channels_last=ratios(seconds["planes"], seconds["last"]),
            matched=matched,
            first_step=first_step,
            seconds=whole,
            same_bytes=same_bytes,
            error_change=error_change,
            peak_bytes=peak,
        )

    def _search(self, recipe: Recipe) -> Search:
        works = [Work(target, seed, recipe) for seed, target in enumerate(self._targets)]
        return Search(
            self._network,
            self._layer,
            works,
            batch_size=self._setting.batch,
            device=self._device,
            precision=self._precision,
            compiler=self._compiler,
        )

    def _pass(self, memory_format: torch.memory_format) -> Callable[[], object]:
        """Forward to the layer and back to the image by the network that the search prepares."""
        images = self._network.normalize(self._targets)
        module = prepare(self._network.module, [self._layer], images[:1], self._device)
        module = module.to(memory_format=memory_format)  # type: ignore[call-overload]
        leaf = images.to(self._device).contiguous(memory_format=memory_format).requires_grad_()
        extract: Extractor | CompiledExtractor = Extractor(module, [self._layer])
        if self._compiler != "none":
            extract = CompiledExtractor(module, [self._layer], self._compiler)

        def run() -> None:
            with computing("float32", self._device):
                with computing(self._precision, self._device):
                    response = extract(leaf)[self._layer]
                with computing_back(self._precision, self._device):
                    torch.autograd.grad(response.float().sum(), leaf)

        return run

    def _matched(self) -> tuple[int, float, float, int | None]:
        """Images matched, seconds of the first step and of the others, most memory held."""
        limit = self._setting.matched_below
        search = self._search(replace(self._recipe, finish_below=limit))
        found: list[Found] = []
        with self._peak() as peak:
            first_step = self._timed(lambda: found.extend(search.step()))
            seconds = 0.0
            while not search.is_finished:
                seconds += self._timed(lambda: found.extend(search.step()))
        found.sort(key=lambda one: one.place)
        images = torch.stack([one.image for one in found])
        errors = decoded_errors(self._network, self._layer, images, self._targets)
        # The folded and the plain network differ in the last bits.
        return sum(error <= limit * (1 + 1e-5) for error in errors), first_step, seconds, peak[0]

    def _repeated(self) -> tuple[float, float]:
        """The same batch twice: share of images of the same PNG bytes, largest difference of errors."""
        whole = replace(self._recipe, finish_below=None)
        pairs = list(zip(self._all(whole), self._all(whole), strict=True))
        same = sum(to_png(one.image) == to_png(other.image) for one, other in pairs)
        change = max(abs(one.relative_error - other.relative_error) for one, other in pairs)
        return same / len(pairs), change

    def _all(self, recipe: Recipe) -> list[Found]:
        search = self._search(recipe)
        found: list[Found] = []
        while not search.is_finished:
            found.extend(search.step())
        return sorted(found, key=lambda one: one.place)

    def _timed(self, run: Callable[[], object]) -> float:
        began = now(self._device)
        run()
        return now(self._device) - began

    @contextmanager
    def _peak(self) -> Iterator[list[int | None]]:
        """What it yields holds, afterwards, the most bytes of the GPU that were taken meanwhile."""
        peak: list[int | None] = [None]
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        yield peak
        if self._device.type == "cuda":
            peak[0] = torch.cuda.max_memory_allocated(self._device)
