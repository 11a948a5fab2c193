"""A network as every part of the library takes it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn


class NetworkError(ValueError):
    """A network that can't be built; the message names the value given and what is allowed."""


@dataclass(frozen=True)
class BuiltNetwork:
    """A network in evaluation mode whose parameters are frozen, with what is needed to feed and to name it.

    `module` takes normalised images (n, 3, h, w) and gives logits (n, num_classes).
    `labels` names the classes where the network is trained on ImageNet's thousand; otherwise None.
    `has_classes` is false for a backbone without a classifier: `module` then gives features.
    """

    module: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    input_size: int
    weights_sha256: str
    labels: tuple[str, ...] | None = None
    has_classes: bool = True
    provenance: dict[str, Any] = field(default_factory=dict)

    def normalize(self, images: Tensor) -> Tensor:
        """Images (n, 3, h, w) in [0, 1] as the network expects them: (images - mean) / std per channel."""
        mean = images.new_tensor(self.mean).view(3, 1, 1)
        std = images.new_tensor(self.std).view(3, 1, 1)
        return (images - mean) / std

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        tensors = self.module.state_dict().values()
        return next((one.device for one in tensors), torch.device("cpu"))

    def on(self, device: torch.device) -> BuiltNetwork:
        """The network on a device: itself where it is there already, elsewhere a copy."""
        if torch.empty(0, device=device).device == self.device:  # "cuda" is the one in use, as cuda:0
            return self
        return replace(self, module=copy.deepcopy(self.module).to(device))
