"""Is it a match? Measured on the images that people see, by the whole, unaltered network.

The measures are those of Feather et al. (Nature Neuroscience 26:2017, 2023).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.iri.extractor import respond_with_logits
from workers.iri.networks import BuiltNetwork
from workers.iri.objectives import relative_error
from workers.iri.recipe import Passing


@dataclass(frozen=True)
class Label:
    """A network's first choice: class index and, where the classes are known, its name."""

    index: int
    name: str | None


@dataclass(frozen=True)
class Quality:
    """One image's measures at the layer, g(x) against g(x_t), both flattened.

    `relative_error`: ||g(x) - g(x_t)||_2 / ||g(x_t)||_2. `cosine`, `pearson`: from -1 to 1.
    `target_label`, `iri_label`: the network's own for target and image.
    `clip_fraction`: share of colour values at 0 or 1. `is_finite`: whether all these are numbers.
    `reason`: why the image doesn't pass, empty where it does.
    """

    relative_error: float
    cosine: float
    pearson: float
    target_label: Label
    iri_label: Label
    clip_fraction: float
    is_finite: bool
    reason: str

    @property
    def same_label(self) -> bool:
        return self.target_label.index == self.iri_label.index

    @property
    def passed(self) -> bool:
        return not self.reason


@torch.no_grad()
def measure(
    network: BuiltNetwork, layer: str, images: Tensor, targets: Tensor, passing: Passing | None = None
) -> list[Quality]:
    """How well a layer's response to each image matches that to its target.

    `images`, `targets`: (n, 3, h, w) in [0, 1], decoded from their files (images.from_png), so that the
    figures are those of what is shown. `passing`: the recipe's thresholds, Passing() where None.
    Raises LayerNotFound or LayerError as extractor.respond does.
    """
    response, logits = respond_with_logits(network.module, layer, network.normalize(images))
    wanted, wanted_logits = respond_with_logits(network.module, layer, network.normalize(targets))
    errors = relative_error(response, wanted).tolist()
    cosines = torch.cosine_similarity(response, wanted, dim=1).tolist()
    pearsons = torch.cosine_similarity(_centred(response), _centred(wanted), dim=1).tolist()
    clipped = ((images <= 0) | (images >= 1)).float().flatten(1).mean(dim=1).tolist()
    labels, wanted_labels = _labels(network, logits), _labels(network, wanted_logits)
    limits = passing or Passing()
    return [
        _quality(
            errors[row], cosines[row], pearsons[row], clipped[row], wanted_labels[row], labels[row], limits
        )
        for row in range(len(images))
    ]


def _centred(responses: Tensor) -> Tensor:
    return responses - responses.mean(dim=1, keepdim=True)


def _labels(network: BuiltNetwork, logits: Tensor) -> list[Label]:
    names = network.labels
    indices: list[int] = logits.flatten(1).argmax(dim=1).tolist()
    return [Label(index, names[index] if names else None) for index in indices]


def _quality(
    error: float,
    cosine: float,
    pearson: float,
    clip_fraction: float,
    target_label: Label,
    iri_label: Label,
    passing: Passing,
) -> Quality:
    is_finite = all(map(math.isfinite, (error, cosine, pearson)))
    reason = _reason(error, is_finite, target_label, iri_label, passing)
    return Quality(error, cosine, pearson, target_label, iri_label, clip_fraction, is_finite, reason)


def _reason(error: float, is_finite: bool, target_label: Label, iri_label: Label, passing: Passing) -> str:
    if not is_finite:
        return "the layer's responses are not finite, or its response to the target is zero"
    if error > passing.max_relative_error:
        return f"relative error {error:.3f} is above {passing.max_relative_error:g}"
    if passing.same_label and iri_label.index != target_label.index:
        return f"the network's label is {_spelled(iri_label)}, the target's {_spelled(target_label)}"
    return ""


def _spelled(label: Label) -> str:
    return label.name or f"class {label.index}"
