"""Any layer of any network as an observer: images are as far apart as the layer's responses to them."""

from __future__ import annotations

import torch
from torch import Tensor

from workers.iri.extractor import Extractor
from workers.iri.graph import expose
from workers.iri.networks import BuiltNetwork
from workers.iri.precision import computing
from workers.observers.observer import Observer, ObserverError

VERSION = "1"


class LayerResponses:
    """A layer's responses to images in [0, 1], by the unaltered network.

    Raises LayerNotFound or LayerError for what can't be a layer.
    """

    def __init__(self, network: BuiltNetwork, layer: str, device: torch.device) -> None:
        network = network.on(device)
        self._extract = Extractor(expose(network.module, [layer]), [layer])
        self._network, self._layer, self._device = network, layer, device

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Images (n, 3, h, w) as responses (n, d). Raises ObserverError for a size that can't be taken."""
        try:
            with computing("float32", self._device):
                return self._extract(self._network.normalize(images.to(self._device)))[self._layer]
        except (RuntimeError, AssertionError) as error:
            height, width = images.shape[-2:]
            said = str(error).partition("\n")[0] or type(error).__name__
            raise ObserverError(
                f"the network can't take images of {width} × {height} pixels: {said}"
            ) from error


def layer_observer(
    network: BuiltNetwork, layer: str, *, name: str, device: torch.device | None = None
) -> Observer:
    """Distance ``||g(x) - g(y)||_2 / sqrt(d)`` between a layer's responses g of d numbers.

    The same order as the relative error of Nanda et al. 2023 gives for one reference. `name`: the observer's.
    Raises LayerNotFound or LayerError for what can't be a layer.
    """
    responses = LayerResponses(network, layer, device or torch.device("cpu"))

    def measure(images: Tensor, others: Tensor) -> Tensor:
        apart = responses(images).double() - responses(others).double()
        return apart.square().mean(dim=1).sqrt()

    return Observer(
        name,
        VERSION,
        measure,
        weights_sha256=network.weights_sha256,
        provenance={"layer": layer, "network": dict(network.provenance)},
    )
