"""How simulated observers are called. Standard library only.

A name is one of BUILT_IN, or `network:SLUG:LAYER` for a layer of a registered network.
"""

from dataclasses import dataclass

#: In the words of workers.observers.catalogue, which a test compares; with what people read.
BUILT_IN = {
    "pixel-l2": "Pixel L2",
    "ssim": "SSIM",
    "ms-ssim": "MS-SSIM",
    "iw-ssim": "IW-SSIM",
    "vif": "VIF",
    "fsim": "FSIM",
    "sr-sim": "SR-SIM",
    "vsi": "VSI",
    "dss": "DSS",
    "haarpsi": "HaarPSI",
    "gmsd": "GMSD",
    "ms-gmsd": "MS-GMSD",
    "mdsi": "MDSI",
    "lpips-alex": "LPIPS alex",
    "lpips-alex-baseline": "LPIPS alex, baseline",
    "lpips-vgg": "LPIPS vgg",
    "lpips-vgg-baseline": "LPIPS vgg, baseline",
    "lpips-squeeze": "LPIPS squeeze",
    "lpips-squeeze-baseline": "LPIPS squeeze, baseline",
}
NETWORK = "network:"


@dataclass(frozen=True)
class NetworkLayer:
    """A layer of a registered network, as an observer."""

    network: str
    layer: str

    @property
    def name(self) -> str:
        return f"{NETWORK}{self.network}:{self.layer}"


def network_layer(name: str) -> NetworkLayer | None:
    """What `network:SLUG:LAYER` names; None for a built-in observer.

    >>> network_layer("network:resnet:layer4.1")
    NetworkLayer(network='resnet', layer='layer4.1')
    """
    if not name.startswith(NETWORK):
        return None
    network, _, layer = name.removeprefix(NETWORK).partition(":")
    return NetworkLayer(network, layer)


def label(name: str) -> str:
    """What people read: `LPIPS alex`, `resnet · layer4.1`."""
    layer = network_layer(name)
    return f"{layer.network} · {layer.layer}" if layer else BUILT_IN.get(name, name)
