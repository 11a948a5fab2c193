"""A network's responses to images in [0, 1], by a private copy that is fast for thousands of passes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from workers.iri.compiling import CompiledExtractor
from workers.iri.extractor import Extractor
from workers.iri.folding import prepare
from workers.iri.graph import expose
from workers.iri.networks import BuiltNetwork
from workers.iri.sizes import SizeRefused, explaining

__all__ = ["Responder", "SizeRefused"]


class Responder:
    """Gives the responses of some layers; the network itself stays as it was.

    `size`: height and width in pixels of the images to come.
    `compiler`: of the passes that `descend` takes (see compiling).
    `layout`: of the weights, best also of the images given (see precision.layout).
    Raises LayerNotFound or LayerError for what can't be a layer, SizeRefused for a size that can't be,
    CompileError for what can't be compiled.
    """

    def __init__(
        self,
        network: BuiltNetwork,
        layers: Sequence[str],
        size: int,
        device: torch.device,
        compiler: str = "none",
        layout: torch.memory_format = torch.channels_last,
    ) -> None:
        self.layout = layout
        # A grey ramp: what plain grey can't tell apart (a folded bias) shows on it.
        probe = torch.linspace(0, 1, 3 * size * size).view(1, 3, size, size)
        with explaining(partial(run_to, network, layers), size, network.input_size):
            module = prepare(network.module, layers, network.normalize(probe), device, layout)
        self._extract = Extractor(module, layers)
        is_plain = compiler == "none"
        self._compiled = self._extract if is_plain else CompiledExtractor(module, layers, compiler)
        mean, std = (torch.tensor(one, device=device).view(3, 1, 1) for one in (network.mean, network.std))
        # (x - mean) / std in one pass over the image, and one back.
        self._shift, self._scale = -mean / std, 1 / std

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """By layer the flattened responses (n, d) to images (n, 3, h, w) in [0, 1]."""
        return self.bare(self._normalized(images))

    def descend(self, images: Tensor) -> dict[str, Tensor]:
        """The same by the compiled pass, where there is one; its ReLUs can't be found by `passthrough`."""
        return self._compiled(self._normalized(images))

    def _normalized(self, images: Tensor) -> Tensor:
        return torch.addcmul(self._shift, images, self._scale)

    def bare(self, normalized: Tensor) -> dict[str, Tensor]:
        """The same for images that are normalised already."""
        return self._extract(normalized)


@torch.no_grad()
def run_to(network: BuiltNetwork, layers: Sequence[str], size: int) -> None:
    """Pass an image of a size (pixels) through the network up to the last of some layers."""
    grey = torch.full((1, 3, size, size), 0.5, device=network.device)
    Extractor(expose(network.module, layers), layers)(network.normalize(grey))
