"""How many IRIs a device makes in an hour, by network, size and batch, beside the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from threading import Event, Thread

import torch
from torch import Tensor

from tests.benchmarks.iri.reference import Reference
from tests.benchmarks.iri.subjects import photographs
from tests.benchmarks.iri.timing import WARM_UP, Estimate, estimate, in_turn, now, ratios
from workers.iri.images import from_png, to_png
from workers.iri.inversion import invert
from workers.iri.networks import BuiltNetwork, NetworkSpec, build
from workers.iri.precision import computing
from workers.iri.quality import measure
from workers.iri.recipe import preset
from workers.iri.search import Search, Work
from workers.iri.start_images import make_start


@dataclass(frozen=True)
class Case:
    """A network's pooled features at some image sizes in pixels."""

    spec: NetworkSpec
    layer: str
    sizes: tuple[int, ...]

    @property
    def network(self) -> str:
        return self.spec.architecture


# What a step takes does not depend on the weights; those that packages don't carry are random.
CASES = (
    Case(NetworkSpec("package", "efficientnet_lite0", pretrained=True), "_avg_pooling", (96, 224)),
    Case(NetworkSpec("torchvision", "resnet50", random_seed=0), "avgpool", (96, 224)),
    Case(NetworkSpec("torchvision", "vit_b_16", random_seed=0), "encoder.ln#class", (224,)),
)


@dataclass(frozen=True)
class HourSetting:
    """`steps`: of every image, none of which leaves before; `whole`: the one of `batches` for which all is
    done, from targets to measured PNGs, and not only some steps."""

    cases: tuple[Case, ...] = CASES
    batches: tuple[int, ...] = (8, 64, 256)
    whole: int = 256
    rounds: int = 7
    steps: int = 240
    precisions: tuple[str, ...] = ("float32",)
    compilers: tuple[str, ...] = ("none",)


QUICK = HourSetting(
    cases=(Case(NetworkSpec("torchvision", "resnet18", random_seed=0), "avgpool", (32,)),),
    batches=(2, 3),
    whole=3,
    rounds=3,
    steps=12,
)


@dataclass(frozen=True)
class Whole:
    """Everything about `batch` images: search, PNGs, and their measurement on the decoded PNGs, in seconds.

    `used`: share of the time in which the GPU computed anything; None where nothing tells.
    """

    search: float
    encode: float
    measure: float
    used: float | None
    failures: int

    @property
    def seconds(self) -> float:
        return self.search + self.encode + self.measure


@dataclass(frozen=True)
class Hour:
    """`step`: seconds of one of the whole batch. `speedup`: the reference's over it, in the same precision.

    `peak_bytes`: the most of the GPU's memory that the steps of the library held; None on a CPU.
    `whole`: of the setting's batch only.
    """

    network: str
    layer: str
    size: int
    batch: int
    precision: str
    compiler: str
    step: Estimate
    speedup: Estimate
    peak_bytes: int | None
    whole: Whole | None
    steps: int

    @property
    def per_hour(self) -> float:
        """IRIs: of everything where that was done, else of the steps alone."""
        seconds = self.steps * self.step.median if self.whole is None else self.whole.seconds
        return 3600 * self.batch / seconds


def hours(setting: HourSetting, device: torch.device, on_row: Callable[[], None]) -> list[Hour]:
    """One row a network, size, way to compute and batch."""
    rows = []
    for case in setting.cases:
        network = build(case.spec)
        for size, precision, compiler, batch in _variants(setting, case):
            rows.append(_Bench(network, case, size, batch, precision, compiler, setting, device).row())
            on_row()
    return rows


def count(setting: HourSetting) -> int:
    return sum(len(_variants(setting, case)) for case in setting.cases)


def _variants(setting: HourSetting, case: Case) -> list[tuple[int, str, str, int]]:
    """Size, precision, compiler and batch of each row."""
    return list(product(case.sizes, setting.precisions, setting.compilers, setting.batches))


class _Bench:
    def __init__(
        self,
        network: BuiltNetwork,
        case: Case,
        size: int,
        batch: int,
        precision: str,
        compiler: str,
        setting: HourSetting,
        device: torch.device,
    ) -> None:
        self._network, self._case, self._setting, self._device = network, case, setting, device
        self._size, self._batch, self._precision, self._compiler = size, batch, precision, compiler
        some = photographs(min(8, batch), size)
        self._targets = some.repeat(-(-batch // len(some)), 1, 1, 1)[:batch]
        self._recipe = preset("reg_free", image_size=size, steps=setting.steps, finish_below=None)

    def row(self) -> Hour:
        step, speedup, peak = self._steps()
        return Hour(
            network=self._case.network,
            layer=self._case.layer,
            size=self._size,
            batch=self._batch,
            precision=self._precision,
            compiler=self._compiler,
            step=step,
            speedup=speedup,
            peak_bytes=peak,
            whole=self._whole() if self._batch == self._setting.whole else None,
            steps=self._setting.steps,
        )

    def _steps(self) -> tuple[Estimate, Estimate, int | None]:
        """A step of the library, the reference's over it, and the most memory of the former."""
        self._forget_peak()
        search = self._search()
        for _ in range(WARM_UP):
            search.step()
        peak = self._peak()  # before the reference takes any
        reference = self._reference()
        seconds = in_turn(
            {"search": lambda: self._timed(search.step), "reference": lambda: self._timed(reference)},
            self._setting.rounds,
            lambda: None,
        )
        return estimate(seconds["search"]), ratios(seconds["reference"], seconds["search"]), peak

    def _search(self) -> Search:
        # One step more than is taken: the last look at the iterates is no step.
        recipe = replace(self._recipe, steps=self._setting.rounds + 2 * WARM_UP + 1)
        return Search(
            self._network,
            self._case.layer,
            [Work(target, seed, recipe) for seed, target in enumerate(self._targets)],
            batch_size=self._batch,
            device=self._device,
            precision=self._precision,
            compiler=self._compiler,
        )

    def _reference(self) -> Callable[[], None]:
        starts = torch.stack(
            [make_start(self._recipe.start, self._size, seed) for seed in range(self._batch)]
        )
        layer = self._case.layer.partition("#")[0]
        loop = Reference(self._network, layer, self._targets, starts, device=self._device)

        def step() -> None:
            with computing(self._precision, self._device):
                loop.step()

        return step

    def _whole(self) -> Whole:
        with Watch(self._device) as watch:
            began = now(self._device)
            found = invert(
                self._network,
                self._case.layer,
                self._targets,
                self._recipe,
                range(self._batch),
                batch_size=self._batch,
                device=self._device,
                precision=self._precision,
                compiler=self._compiler,
            )
            searched = now(self._device)
            pngs = [to_png(image) for image in found.images]
            encoded = now(self._device)
            self._measure(torch.stack([from_png(png) for png in pngs]))
            measured = now(self._device)
        failures = sum(map(bool, found.failures))
        return Whole(searched - began, encoded - searched, measured - encoded, watch.used, failures)

    def _measure(self, shown: Tensor) -> None:
        """One by one, as a worker does."""
        there = self._network.on(self._device)
        for image, target in zip(shown, self._targets, strict=True):
            measure(there, self._case.layer, image[None], target[None], device=self._device)

    def _timed(self, run: Callable[[], object]) -> float:
        began = now(self._device)
        run()
        return now(self._device) - began

    def _forget_peak(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._device)

    def _peak(self) -> int | None:
        return torch.cuda.max_memory_allocated(self._device) if self._device.type == "cuda" else None


class Watch:
    """Asks the driver five times a second how busy the GPU is. `used`: the mean, from 0 to 1, afterwards."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._ended = device, Event()
        self._shares: list[float] = []
        self._thread = Thread(target=self._look, daemon=True)

    @property
    def used(self) -> float | None:
        return sum(self._shares) / len(self._shares) if self._shares else None

    def _look(self) -> None:
        while not self._ended.wait(0.2):
            try:
                self._shares.append(torch.cuda.utilization(self._device) / 100)
            except (ImportError, RuntimeError):  # the package nvidia-ml-py is not there
                return

    def __enter__(self) -> Watch:
        if self._device.type == "cuda":
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
