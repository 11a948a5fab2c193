"""A network that doesn't answer each image by itself is refused at the start of a search."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.workers.iri.tiny import SIZE, built, photographs
from workers.iri.inversion import invert
from workers.iri.layer_errors import LayerError
from workers.iri.recipe import preset

pytestmark = pytest.mark.torch
RECIPE = preset("reg_free", image_size=SIZE, steps=3)


class Stem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4, track_running_stats=False)
        self.flat = nn.Flatten()


class BatchStatistics(Stem):
    def forward(self, images: Tensor) -> Tensor:
        return self.flat(self.norm(self.conv(images)))


class Chance(Stem):
    def forward(self, images: Tensor) -> Tensor:
        return self.flat(functional.dropout(self.conv(images), 0.5, training=True))


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize(
    ("module", "message"),
    [
        (BatchStatistics, "layer 'flat' responds differently to an image with another beside it; allowed: a"),
        (Chance, "layer 'flat' responds differently each time to the same image; allowed: a network"),
    ],
)
def test_what_depends_on_the_batch_or_on_chance_is_refused(
    module: type[nn.Module], message: str, batch_size: int
) -> None:
    with pytest.raises(LayerError, match=message):
        invert(built(module()), "flat", photographs(2), RECIPE, [0, 1], batch_size=batch_size)


def test_rounding_alone_is_not_refused() -> None:
    """As much as other kernels for other batch sizes make of it, and more."""

    class Rounding(Stem):
        def forward(self, images: Tensor) -> Tensor:
            noise = 1e-5 * len(images) * torch.linspace(0, 1, SIZE)
            return self.flat(self.conv(images + noise))

    assert not any(invert(built(Rounding()), "flat", photographs(2), RECIPE, [0, 1]).failures)
