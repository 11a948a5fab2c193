"""A network's responses to images in [0, 1], by a private copy that is fast for thousands of passes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.iri.extractor import Extractor
from workers.iri.folding import prepare
from workers.iri.graph import expose
from workers.iri.layer_errors import LayerError
from workers.iri.networks import BuiltNetwork

# Sizes tried to tell which ones a network takes that refused another.
_COMMON_SIZES = (32, 64, 96, 128, 160, 192, 224, 240, 256, 288, 299, 320, 384, 448, 512)


class SizeRefused(ValueError):
    """An image size that the network can't take; the message names those that it can."""


class Responder:
    """Gives the responses of some layers; the network itself stays as it was.

    `size`: height and width in pixels of the images to come.
    Raises LayerNotFound or LayerError for what can't be a layer, SizeRefused for a size that can't be.
    """

    def __init__(self, network: BuiltNetwork, layers: Sequence[str], size: int, device: torch.device) -> None:
        # A grey ramp: what plain grey can't tell apart (a folded bias) shows on it.
        probe = torch.linspace(0, 1, 3 * size * size).view(1, 3, size, size)
        try:
            module = prepare(network.module, layers, network.normalize(probe), device)
        except LayerError:
            raise
        except (RuntimeError, AssertionError, ValueError) as error:
            raise _explained(network, layers, size, error) from error
        self._extract = Extractor(module, layers)
        mean, std = (torch.tensor(one, device=device).view(3, 1, 1) for one in (network.mean, network.std))
        # (x - mean) / std in one pass over the image, and one back.
        self._shift, self._scale = -mean / std, 1 / std

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """By layer the flattened responses (n, d) to images (n, 3, h, w) in [0, 1]."""
        return self.bare(torch.addcmul(self._shift, images, self._scale))

    def bare(self, normalized: Tensor) -> dict[str, Tensor]:
        """The same for images that are normalised already."""
        return self._extract(normalized)


def _explained(
    network: BuiltNetwork, layers: Sequence[str], size: int, error: RuntimeError | AssertionError | ValueError
) -> Exception:
    """SizeRefused where other sizes work, the error itself where none does."""
    tried = sorted({*_COMMON_SIZES, network.input_size} - {size})
    allowed = [str(one) for one in tried if _takes(network, layers, one)]
    if not allowed:
        return error
    said = str(error).partition("\n")[0] or type(error).__name__
    return SizeRefused(
        f"the network can't take images of {size} × {size} pixels ({said});"
        f" of the sizes tried it takes {', '.join(allowed)}"
    )


@torch.no_grad()
def _takes(network: BuiltNetwork, layers: Sequence[str], size: int) -> bool:
    try:
        Extractor(expose(network.module, layers), layers)(network.normalize(torch.zeros(1, 3, size, size)))
    except (RuntimeError, AssertionError, ValueError):
        return False
    return True
