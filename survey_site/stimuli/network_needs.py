"""How each network is fed with the images of a set, in words."""

from __future__ import annotations

from dataclasses import dataclass

from survey_site.access.models import User
from survey_site.stimuli.models import ImageSet, Network, NetworkState

NAMED = 5


@dataclass(frozen=True)
class NetworkNeed:
    """A network's input size in pixels a side, and which images have a shorter side below it."""

    network: Network
    size: int
    n_smaller: int
    smallest: list[str]

    @property
    def n_more(self) -> int:
        return self.n_smaller - len(self.smallest)


def network_needs(image_set: ImageSet, *, user: User) -> list[NetworkNeed]:
    """One for each ready network that is shared with `user`."""
    networks = Network.objects.visible_to(user).filter(state=NetworkState.READY, input_size__isnull=False)
    return [_need(image_set, network) for network in networks]


def _need(image_set: ImageSet, network: Network) -> NetworkNeed:
    size = int(network.input_size or 0)
    smaller = image_set.targets.smaller_than(size).smallest_first().select_related("image")
    names = [f"{one.name} ({one.image.width} × {one.image.height})" for one in smaller[:NAMED]]
    return NetworkNeed(network=network, size=size, n_smaller=smaller.count(), smallest=names)
