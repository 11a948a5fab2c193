"""What every simulated observer is: a distance between images, and what it was made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


class ObserverError(ValueError):
    """An observer that can't be had or can't judge; the message says what is missing and where it belongs."""


@dataclass(frozen=True)
class Observer:
    """A distance between images.

    `name`: as people ask for it. `version`: of the definition and of the library that computes it; another
    version may judge otherwise. `weights_sha256`: over everything learned, empty where nothing is.
    `measure`: references (n, 3, h, w) in [0, 1] and as many options to (n,); smaller is nearer, about 0 for
    equal images. `provenance`: what the hash is made of, in words.
    """

    name: str
    version: str
    measure: Callable[[Tensor, Tensor], Tensor]
    weights_sha256: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @torch.no_grad()
    def distances(self, images: Tensor, others: Tensor) -> Tensor:
        """Of each image to its other; float64 (n,) on the CPU. Not finite where the measure is undefined.

        Raises ObserverError for images that the measure can't take, naming sizes given and allowed.
        """
        if images.shape != others.shape or images.ndim != 4 or images.shape[1] != 3:
            raise ObserverError(
                f"{self.name} was given images of shape {tuple(images.shape)} and {tuple(others.shape)};"
                " allowed: both (n, 3, height, width)"
            )
        return self.measure(images, others).double().cpu()
