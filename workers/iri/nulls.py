"""The null: how alike a layer's responses to two different natural images are.

An IRI is a match only if it is closer to its target than other natural images are (Feather et al., Nature
Neuroscience 26:2017, 2023).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workers.iri.arguments import (
    check_function,
    check_layer,
    check_network,
    checked_images,
    checked_whole,
    kind_of,
)
from workers.iri.devices import checked_device
from workers.iri.extractor import Extractor
from workers.iri.graph import expose
from workers.iri.memory import in_passes
from workers.iri.networks import BuiltNetwork
from workers.iri.precision import computing
from workers.iri.responder import run_to
from workers.iri.similarity import LOWER_IS_CLOSER, MEASURES, compare, is_perfect, ranks
from workers.iri.sizes import explaining

ENOUGH_PAIRS = 10_000
# Stored of each measure; a recipe chooses among those above a half.
PROBABILITIES = (
    0.0, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 1.0,
)  # fmt: skip
BINS = 40
# Responses held at once, with their ranks.
_MEMORY_BYTES = 256 * 2**20
_BYTES_PER_NUMBER = 4 + 8
_FORWARD_IMAGES = 8
# The largest relative error that rounding makes of a response that doesn't depend on the image.
_ALIKE = 1e-6


class NullError(ValueError):
    """A null distribution that can't be; the message names the value given and what is allowed."""


@dataclass(frozen=True)
class Distribution:
    """One measure over the null's pairs: `quantiles` at PROBABILITIES, and counts in equal bins from `low` to
    `high`. Pairs for which the measure isn't defined are left out; `n` remain.
    """

    n: int
    quantiles: tuple[float, ...]
    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Null:
    """Measures of `n_pairs` pairs among `n_images` natural images; a measure never defined is missing.

    `layer`, `weights_sha256`: what it was computed at, None where that isn't known.
    """

    n_images: int
    n_pairs: int
    distributions: Mapping[str, Distribution]
    layer: str | None = None
    weights_sha256: str | None = None

    @property
    def is_constant(self) -> bool:
        """Whether the layer responds to all natural images alike, so that a match says nothing."""
        errors = self.distributions.get("relative_error")
        return errors is not None and errors.quantiles[-1] <= _ALIKE

    def limit(self, measure: str, quantile: float) -> float | None:
        """What an IRI must be better than to beat this quantile of the null; None where there is none.

        For an error that is the lower quantile (0.01 for 0.99). Where there are fewer pairs than that
        quantile needs (100 for 0.99), it is the closest pair of all.
        """
        found = self.distributions.get(measure)
        if found is None:
            return None
        reach = 1.0 if self.is_too_small(quantile) else quantile
        probability = 1 - reach if measure in LOWER_IS_CLOSER else reach
        place = min(range(len(PROBABILITIES)), key=lambda one: abs(PROBABILITIES[one] - probability))
        return found.quantiles[place]

    def is_too_small(self, quantile: float) -> bool:
        return self.n_pairs * (1 - quantile) < 1

    def to_json(self) -> dict[str, Any]:
        return {
            name: {
                "n": one.n,
                "quantiles": dict(zip(map(str, PROBABILITIES), one.quantiles, strict=True)),
                "low": one.low,
                "high": one.high,
                "counts": list(one.counts),
            }
            for name, one in self.distributions.items()
        }

    @classmethod
    def from_json(
        cls,
        n_images: int,
        n_pairs: int,
        measures: Mapping[str, Any],
        *,
        layer: str | None = None,
        weights_sha256: str | None = None,
    ) -> Null:
        """What `to_json` wrote, of this layer of the network with these weights."""
        distributions = {
            name: Distribution(
                n=one["n"],
                quantiles=tuple(one["quantiles"][str(probability)] for probability in PROBABILITIES),
                low=one["low"],
                high=one["high"],
                counts=tuple(one["counts"]),
            )
            for name, one in measures.items()
        }
        return cls(n_images, n_pairs, MappingProxyType(distributions), layer, weights_sha256)


def null_distribution(
    network: BuiltNetwork,
    layer: str,
    n_images: int,
    load: Callable[[int], Tensor],
    *,
    seed: int = 0,
    pairs: int = ENOUGH_PAIRS,
    should_stop: Callable[[], bool] = lambda: False,
    device: str | torch.device = "cpu",
) -> Null:
    """The measures of random pairs of `n_images` images, each pair once, in a random direction.

    `load`: gives an image (3, s, s) in [0, 1] by its index, as the IRIs' targets are given. At least `pairs`
    pairs, or all there are. Blocks of images are held at a time, so that memory doesn't grow with the set.
    The same seed (a whole number from 0) gives the same pairs. `device`: where the network runs.
    Pairs whose responses aren't finite are left out of every measure (see Distribution.n).
    Raises NullError for fewer than two images, for one that can't be (not finite, of another size than the
    first), SizeRefused for a size that the network can't take, LayerNotFound or LayerError for the layer,
    InterruptedError where told to stop.
    """
    check_network(network, NullError)
    check_layer(layer)
    n_images = checked_whole("n_images", n_images, 2, None, NullError)  # pairs are of different ones
    pairs = checked_whole("pairs", pairs, 1, None, NullError)
    seed = checked_whole("seed", seed, 0, None, NullError)
    check_function("load", load, NullError)
    check_function("should_stop", should_stop, NullError)
    chooser = random.Random(seed)  # noqa: S311 (a sample, not a secret)
    chosen = checked_device(device)
    respond = _Responses(network.on(chosen), layer, load, chosen)
    values: dict[str, list[Tensor]] = {name: [] for name in MEASURES}
    found = 0
    for one, others in _rows(n_images, respond.images_at_once, chooser):
        if should_stop():
            raise InterruptedError("told to stop while the null distribution was computed")
        for name, column in respond.compare(one, others, chooser.random() < 0.5).items():
            values[name].append(column)
        found += len(others)
        if found >= pairs:
            break
    distributions = {name: _distribution(torch.cat(columns).cpu()) for name, columns in values.items()}
    known = {name: one for name, one in distributions.items() if one is not None}
    return Null(n_images, found, MappingProxyType(known), layer, network.weights_sha256)


def _rows(n_images: int, at_once: int, chooser: random.Random) -> Iterator[tuple[int, Sequence[int]]]:
    """Every pair of different images once, as one image and several others, block by block."""
    order = list(range(n_images))
    chooser.shuffle(order)
    size = max(at_once // 2, 1)
    blocks = [order[start : start + size] for start in range(0, n_images, size)]
    meetings = [(first, second) for first in range(len(blocks)) for second in range(first, len(blocks))]
    chooser.shuffle(meetings)
    for first, second in meetings:
        for place, one in enumerate(blocks[first]):
            others = blocks[first][place + 1 :] if first == second else blocks[second]
            if others:
                yield one, others


class _Responses:
    """Responses of the layer and their ranks, those of the last blocks kept."""

    def __init__(
        self, network: BuiltNetwork, layer: str, load: Callable[[int], Tensor], device: torch.device
    ) -> None:
        self._network, self._layer, self._load, self._device = network, layer, load, device
        self._extract = Extractor(expose(network.module, [layer]), [layer])
        self._shape: torch.Size | None = None  # of the first image
        self._forward_images = _FORWARD_IMAGES
        self._held: dict[int, tuple[Tensor, Tensor]] = {}
        width = self._respond([0])[0].numel()
        self.images_at_once = max(_MEMORY_BYTES // (width * _BYTES_PER_NUMBER), 2)

    def compare(self, one: int, others: Sequence[int], reverse: bool) -> dict[str, Tensor]:
        """The measures of `one` against each other, or of each other against `one`."""
        self._hold([one, *others])
        single = [part[None].expand(len(others), -1) for part in self._held[one]]
        many = [torch.stack([self._held[other][part] for other in others]) for part in (0, 1)]
        (responses, response_ranks), (wanted, wanted_ranks) = (many, single) if reverse else (single, many)
        return compare(responses, wanted, response_ranks, wanted_ranks)

    def _hold(self, indices: Sequence[int]) -> None:
        missing = [index for index in indices if index not in self._held]
        if len(self._held) + len(missing) > self.images_at_once:
            self._held = {index: self._held[index] for index in indices if index in self._held}
        parts, self._forward_images = in_passes(
            lambda rows: self._respond(missing[rows]), len(missing), self._forward_images
        )
        for index, response in zip(missing, (row for part in parts for row in part), strict=True):
            self._held[index] = response, ranks(response[None])[0]

    def _image(self, index: int) -> Tensor:
        image = self._load(index)
        if not isinstance(image, Tensor):
            raise NullError(f"load({index}) gave a {kind_of(image)}; allowed: a torch.Tensor (3, s, s)")
        image = checked_images(f"the image of load({index})", image[None], NullError)[0]
        if not image.isfinite().all():
            raise NullError(f"load({index}) gave an image that is not finite; allowed: numbers from 0 to 1")
        self._shape = self._shape or image.shape
        if image.shape != self._shape:
            raise NullError(
                f"load({index}) gave an image of shape {tuple(image.shape)}; allowed: {tuple(self._shape)},"
                " as the first"
            )
        return image

    @torch.no_grad()
    def _respond(self, indices: Sequence[int]) -> Tensor:
        images = torch.stack([self._image(index) for index in indices]).to(self._device)
        run = partial(run_to, self._network, [self._layer])
        with (
            computing("float32", self._device),
            explaining(run, images.shape[-2:], self._network.input_size),
        ):
            return self._extract(self._network.normalize(images))[self._layer]


def _distribution(values: Tensor) -> Distribution | None:
    plain = values[values.isfinite()].numpy()
    if len(plain) == 0:
        return None
    low = float(plain.min())
    high = float(plain.max()) if plain.max() > low else low + 1
    counts, _ = np.histogram(plain, bins=BINS, range=(low, high))
    quantiles = np.quantile(plain, PROBABILITIES)
    return Distribution(len(plain), tuple(quantiles.tolist()), low, high, tuple(counts.tolist()))


def is_closer(measure: str, value: float, limit: float) -> bool:
    """Whether a measure beats a limit of the null. A perfect match does, what isn't a number doesn't."""
    if math.isnan(value):
        return False
    if is_perfect(measure, value):
        return True
    return value < limit if measure in LOWER_IS_CLOSER else value > limit
