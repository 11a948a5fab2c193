"""Many distances at once: every pair of images once, in batches of equal size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any

import torch
from torch import Tensor

from workers.observers.observer import Observer, ObserverError

PAIRS_AT_ONCE = 8

Pair = tuple[str, str]


def distances_of(
    observer: Observer,
    pairs: Sequence[Pair],
    load: Callable[[str], Tensor],
    *,
    on_batch: Callable[[], Any] = lambda: None,
) -> dict[Pair, float]:
    """The distance of every pair of image names; `load` gives an image (3, h, w) in [0, 1] by its name.

    A pair that occurs often is measured once, so that equal images are at equal distances to the last bit.
    `on_batch` is called after every PAIRS_AT_ONCE pairs. Raises ObserverError where two images of a pair
    differ in size, and as the observer does.
    """
    found: dict[Pair, float] = {}
    for batch in _batches(list(dict.fromkeys(pairs)), load):
        names, images, others = zip(*batch, strict=True)
        for name, distance in zip(
            names, observer.distances(torch.stack(images), torch.stack(others)).tolist(), strict=True
        ):
            found[name] = distance
        on_batch()
    return found


def _batches(
    pairs: Sequence[Pair], load: Callable[[str], Tensor]
) -> Iterator[list[tuple[Pair, Tensor, Tensor]]]:
    loaded = ((pair, load(pair[0]), load(pair[1])) for pair in pairs)
    for _, same in groupby(map(_checked, loaded), key=lambda one: one[1].shape):
        while batch := list(islice(same, PAIRS_AT_ONCE)):
            yield batch


def _checked(one: tuple[Pair, Tensor, Tensor]) -> tuple[Pair, Tensor, Tensor]:
    _, image, other = one
    if image.shape != other.shape:
        sizes = " and ".join(f"{shape[-1]} × {shape[-2]}" for shape in (image.shape, other.shape))
        raise ObserverError(f"two images of one trial have {sizes} pixels; an observer compares equal sizes")
    return one
