"""Small networks whose answers can be worked out by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workers.iri.networks import BuiltNetwork
from workers.iri.weights import state_sha256

SIZE = 16  # pixels, the smallest image of a recipe


class ChannelMeans(nn.Module):
    """Layer `pool` answers with the image's three channel means; `head` gives two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(3, 2)
        self.unused = nn.Linear(3, 2)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
            self.head.bias.zero_()
            self.unused.weight.zero_()
            self.unused.bias.zero_()

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.pool(images).flatten(1))


class ConvNet(nn.Module):
    """Convolutions with batch norm called from code, a ReLU used twice, pooling, dropout and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.norm2 = nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout()
        self.head = nn.Linear(6, 5)

    def forward(self, images: Tensor) -> Tensor:
        features = self.relu(self.norm1(self.conv1(images)))
        features = self.relu(self.norm2(self.conv2(features)))
        return self.head(self.dropout(self.pool(features).flatten(1)))


class Pair(nn.Module):
    """A layer whose response is no tensor, with parts that give one."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Flatten(), nn.Flatten()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.left(images), self.right(images)


class TwoStreams(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()

    def forward(self, images: Tensor) -> Tensor:
        left, right = self.pair(images)
        return left + right


def built(module: nn.Module, labels: tuple[str, ...] | None = None) -> BuiltNetwork:
    """The module as a network whose normalisation changes nothing."""
    module.eval().requires_grad_(False)
    return BuiltNetwork(module, (0.0,) * 3, (1.0,) * 3, SIZE, state_sha256(module), labels)


def conv_net() -> ConvNet:
    """A ConvNet with weights and batch norm statistics drawn from a fixed seed."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = ConvNet()
        for norm in (net.norm1, net.norm2):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
            nn.init.uniform_(norm.weight, 0.5, 2.0)
            nn.init.normal_(norm.bias)
    return net.eval().requires_grad_(False)


def photographs(count: int, size: int = SIZE) -> Tensor:
    """Smooth images (count, 3, size, size) in [0, 1], the same on every call."""
    generator = torch.Generator().manual_seed(11)
    coarse = torch.rand(count, 3, 4, 4, generator=generator)
    return nn.functional.interpolate(coarse, (size, size), mode="bilinear")
