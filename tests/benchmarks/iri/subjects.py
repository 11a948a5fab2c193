"""Networks, layers and photographs of the benchmark. All come with installed packages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import skimage.data
import sklearn.datasets
import torch
from torch import Tensor

from workers.iri.images import fit
from workers.iri.networks import BuiltNetwork, NetworkSpec, build

PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "china.jpg",
    "flower.jpg",
)
STAGES = ("early", "middle", "penultimate")


@dataclass(frozen=True)
class Subject:
    """A network and its layers at the three stages."""

    name: str
    spec: NetworkSpec
    layers: tuple[str, str, str]

    def build(self) -> BuiltNetwork:
        return build(self.spec)


RESNET18 = Subject(
    "ResNet-18, random weights",
    NetworkSpec("torchvision", "resnet18", random_seed=0),
    ("layer1", "layer2", "avgpool"),
)
TRAINED = (
    Subject(
        "EfficientNet-Lite0",
        NetworkSpec("package", "efficientnet_lite0", pretrained=True),
        ("_blocks.2", "_blocks.8", "_avg_pooling"),
    ),
    Subject(
        "EfficientNet-Lite1",
        NetworkSpec("package", "efficientnet_lite1", pretrained=True),
        ("_blocks.2", "_blocks.11", "_avg_pooling"),
    ),
)


def photographs(count: int, size: int) -> Tensor:
    """The first photographs as targets (count, 3, size, size) in [0, 1]."""
    folders = Path(skimage.data.__file__).parent, Path(sklearn.datasets.__file__).parent / "images"
    paths = [next(path for folder in folders if (path := folder / name).exists()) for name in PHOTOGRAPHS]
    return torch.stack([fit(path.read_bytes(), size) for path in paths[:count]])
