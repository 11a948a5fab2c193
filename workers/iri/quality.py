"""Is it a match? Measured on the images that people see, by the whole, unaltered network.

The measures are those of Feather et al. (Nature Neuroscience 26:2017, 2023).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from workers.iri.arguments import check_layer, check_network, checked_images, described, kind_of
from workers.iri.devices import checked_device
from workers.iri.extractor import Extractor
from workers.iri.graph import expose
from workers.iri.memory import in_passes
from workers.iri.networks import BuiltNetwork
from workers.iri.nulls import Null, is_closer
from workers.iri.precision import computing
from workers.iri.recipe import Passing
from workers.iri.responder import run_to
from workers.iri.similarity import LOWER_IS_CLOSER, MEASURES, NAMES, Similarity, similarities
from workers.iri.sizes import explaining

_IMAGES_AT_ONCE = 8


class MeasureError(ValueError):
    """Images that can't be measured; the message names the value given and what is allowed."""


@dataclass(frozen=True)
class Label:
    """A network's first choice: class index and, where the classes are known, its name."""

    index: int
    name: str | None

    def __str__(self) -> str:
        return self.name or f"class {self.index}"


@dataclass(frozen=True)
class Quality:
    """One image's measures at the matched layer, g(x) against g(x_t), both flattened.

    `similarity`: the five measures there; `later`: the same by the names of layers after it.
    `target_label`, `iri_label`: the network's own for target and image; None for a network without classes.
    `clip_fraction`: share of colour values at 0 or 1. `distance_moved`: root mean square, over colour values
    in [0, 1], of image minus start image; None where no start image was given.
    `is_finite`: whether error and cosine are numbers. `reason`: why the image doesn't pass, or nothing.
    """

    similarity: Similarity
    target_label: Label | None
    iri_label: Label | None
    clip_fraction: float
    reason: str
    distance_moved: float | None = None
    later: Mapping[str, Similarity] = field(default_factory=dict)

    @property
    def relative_error(self) -> float:
        return self.similarity.relative_error

    @property
    def cosine(self) -> float:
        return self.similarity.cosine

    @property
    def pearson(self) -> float:
        return self.similarity.pearson

    @property
    def is_finite(self) -> bool:
        return _is_finite(self.similarity)

    @property
    def same_label(self) -> bool | None:
        """None for a network without classes."""
        if self.target_label is None or self.iri_label is None:
            return None
        return self.target_label.index == self.iri_label.index

    @property
    def passed(self) -> bool:
        return not self.reason


def measure(
    network: BuiltNetwork,
    layer: str,
    images: Tensor,
    targets: Tensor,
    passing: Passing | None = None,
    *,
    null: Null | None = None,
    starts: Tensor | None = None,
    later: Sequence[str] = (),
    device: str | torch.device = "cpu",
) -> list[Quality]:
    """How well a layer's response to each image matches that to its target.

    `images`, `targets`, `starts`: (n, 3, h, w) in [0, 1], decoded from their files (images.from_png), so that
    the figures are those of what is shown. `passing`: the recipe's thresholds, Passing() where None.
    `null`: what natural images reach at this layer (nulls.null_distribution), which `passing` compares with
    unless its `null_quantile` is None. `later`: more layers to measure at. `device`: where the network runs.
    An image that is not finite doesn't pass, and says so; it spoils no other.
    Raises MeasureError for images that can't be, a null of another layer or network, or a network with
    classes that gives no logits; SizeRefused for a size that the network can't take; DeviceError;
    LayerNotFound or LayerError as extractor.Extractor does.
    """
    check_network(network, MeasureError)
    check_layer(layer)
    images = checked_images("images", images, MeasureError)
    targets = checked_images("targets", targets, MeasureError, like=images.shape)
    if starts is not None:
        starts = checked_images("starts", starts, MeasureError, like=images.shape)
    if isinstance(later, str):
        raise MeasureError(f"later is {later!r}; allowed: a list of layers")
    if not isinstance(passing, Passing | None):
        raise MeasureError(f"passing is {described(passing)}; allowed: a Passing, as recipe.passing, or None")
    _check_null(null, network, layer)
    chosen = checked_device(device)
    network = network.on(chosen)
    extract = Extractor(expose(network.module, [layer, *later]), [layer, *later])

    def measured(rows: slice) -> list[Quality]:
        shown, wanted = images[rows].to(chosen), targets[rows].to(chosen)
        begun = None if starts is None else starts[rows].to(chosen)
        with computing("float32", chosen):
            return _measure(network, extract, layer, shown, wanted, begun, passing or Passing(), null)

    parts, _ = in_passes(measured, len(images), _IMAGES_AT_ONCE)
    return [quality for part in parts for quality in part]


def _check_null(null: Null | None, network: BuiltNetwork, layer: str) -> None:
    if not isinstance(null, Null | None):
        raise MeasureError(f"null is {described(null)}; allowed: a Null, as null_distribution gives, or None")
    if null is None:
        return
    if null.layer not in (None, layer):
        raise MeasureError(f"null is of layer {null.layer!r}; allowed: that of {layer!r}, which is measured")
    if null.weights_sha256 not in (None, network.weights_sha256):
        raise MeasureError(
            f"null is of a network with weights {str(null.weights_sha256)[:12]}…; allowed: that of the"
            f" network measured, {network.weights_sha256[:12]}…"
        )


@torch.no_grad()
def _measure(
    network: BuiltNetwork,
    extract: Extractor,
    layer: str,
    images: Tensor,
    targets: Tensor,
    starts: Tensor | None,
    passing: Passing,
    null: Null | None,
) -> list[Quality]:
    run = partial(_run_whole if network.has_classes else run_to, network, [layer])
    with explaining(run, images.shape[-2:], network.input_size):
        responses, logits = _answers(network, extract, torch.cat([images, targets]))
    count = len(images)
    found = {name: similarities(both[:count], both[count:]) for name, both in responses.items()}
    clipped = ((images <= 0) | (images >= 1)).float().flatten(1).mean(dim=1).tolist()
    moved = None if starts is None else (images - starts).square().flatten(1).mean(dim=1).sqrt().tolist()
    both_labels = _labels(network, logits, 2 * count)
    labels, wanted_labels = both_labels[:count], both_labels[count:]
    return [
        Quality(
            similarity=found[layer][row],
            target_label=wanted_labels[row],
            iri_label=labels[row],
            clip_fraction=clipped[row],
            reason=_reason(found[layer][row], wanted_labels[row], labels[row], passing, null),
            distance_moved=None if moved is None else moved[row],
            later={name: rows[row] for name, rows in found.items() if name != layer},
        )
        for row in range(count)
    ]


def _run_whole(network: BuiltNetwork, _layers: Sequence[str], size: int) -> None:
    network.module(network.normalize(torch.full((1, 3, size, size), 0.5, device=network.device)))


def _answers(network: BuiltNetwork, extract: Extractor, images: Tensor) -> tuple[dict[str, Tensor], Any]:
    """The layers' responses and the logits, from one pass; without classes it ends at the last layer."""
    inputs = network.normalize(images)
    return extract.with_output(inputs) if network.has_classes else (extract(inputs), None)


def _labels(network: BuiltNetwork, logits: Any, count: int) -> list[Label] | list[None]:
    if not network.has_classes:
        return [None] * count
    if not isinstance(logits, Tensor):
        raise MeasureError(
            f"the network gives a {kind_of(logits)}; allowed: logits as one tensor (n, classes), or a network"
            " with has_classes=False, which is asked for no labels"
        )
    names = network.labels
    indices: list[int] = logits.flatten(1).argmax(dim=1).tolist()
    return [Label(index, names[index] if names else None) for index in indices]


def _is_finite(similarity: Similarity) -> bool:
    return math.isfinite(similarity.relative_error) and math.isfinite(similarity.cosine)


def _reason(
    similarity: Similarity,
    target_label: Label | None,
    iri_label: Label | None,
    passing: Passing,
    null: Null | None,
) -> str:
    if not _is_finite(similarity):
        return "the layer's responses are not finite, or its response to the target is zero"
    reasons = []
    limit = passing.max_relative_error
    if limit is not None and similarity.relative_error > limit:
        reasons.append(f"relative error {similarity.relative_error:.3f} is above {limit:g}")
    if passing.null_quantile is not None:
        reasons += _not_beaten(similarity, passing.null_quantile, null)
    if passing.same_label and target_label and iri_label and iri_label.index != target_label.index:
        reasons.append(f"the network's label is {iri_label}, the target's {target_label}")
    return "; ".join(reasons)


def _not_beaten(similarity: Similarity, quantile: float, null: Null | None) -> list[str]:
    """Where the image is no closer to its target than natural images are to one another."""
    if null is None:
        return ["no null distribution was given to compare with"]
    if null.is_constant:
        return ["the layer responds to all natural images alike, so that a match says nothing"]
    reasons = []
    for name in MEASURES:
        limit, value = null.limit(name, quantile), getattr(similarity, name)
        if limit is not None and not is_closer(name, value, limit):
            reasons.append(
                f"{NAMES[name]} {value:.3f} does not beat {limit:.3f}, {_spelled(name, quantile, null)}"
            )
    return reasons


def _spelled(measure: str, quantile: float, null: Null) -> str:
    of = f"of {null.n_pairs} pairs of natural images"
    if null.is_too_small(quantile):
        return f"the {'least' if measure in LOWER_IS_CLOSER else 'greatest'} {of}"
    share = 1 - quantile if measure in LOWER_IS_CLOSER else quantile
    return f"the {100 * share:g} % quantile {of}"


def plateau(trace: Sequence[tuple[int, float]]) -> float | None:
    """How much the least error so far still fell in the last tenth of the steps, as a share of it.

    `trace`: (step, relative error) in order. 0 where it has come to rest; None where it has no two points or
    no finite errors.

    >>> plateau([(0, 1.0), (90, 0.5), (100, 0.4)])
    0.2
    """
    finite = [(step, error) for step, error in trace if math.isfinite(error)]
    if len(finite) < 2:
        return None
    from_step = finite[-1][0] * 0.9
    before = min((error for step, error in finite if step <= from_step), default=finite[0][1])
    return (before - min(before, *(error for _, error in finite))) / before if before > 0 else 0.0
