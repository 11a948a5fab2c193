"""Start images x_0: drawn from the image's own generator, then clamped and rounded to 8 bits.

What is shown to people is exactly what the descent left from (the released code of Nanda et al. optimised
from unclamped noise and showed it clamped).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor

from workers.iri.images import quantize
from workers.iri.recipe import Start

_Needed = TypeVar("_Needed")


class StartError(ValueError):
    """A start image that can't be made; the message says what is missing."""


@dataclass(frozen=True)
class Pool:
    """Natural images that start images are chosen from, the targets among them.

    `images`: (m, 3, s, s) in [0, 1], or uint8 from 0 to 255; kept as uint8.
    `labels`: one per image, empty where unknown.
    Raises StartError for images or labels of another kind.
    """

    images: Tensor
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_images(self.images)
        object.__setattr__(self, "labels", _checked_labels(self.labels, len(self.images)))
        object.__setattr__(self, "images", _bytes(self.images))


def _check_images(images: Any) -> None:
    if not isinstance(images, Tensor):
        raise StartError(f"a pool's images are a {type(images).__qualname__}; allowed: a torch.Tensor")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise StartError(
            f"a pool's images are {images.dtype}; allowed: floating-point numbers from 0 to 1, or torch.uint8"
        )
    if images.ndim != 4 or images.shape[1] != 3 or len(images) == 0:
        raise StartError(f"a pool has images of shape {tuple(images.shape)}; allowed: (m, 3, s, s), m from 1")
    if images.dtype == torch.uint8:
        return
    wrong = images[~((images >= 0) & (images <= 1))]
    if len(wrong):
        place = next(place for place, one in enumerate(images) if not ((one >= 0) & (one <= 1)).all())
        raise StartError(
            f"image {place} of a pool holds {wrong[0].item():g}; allowed: numbers from 0 to 1, or torch.uint8"
            " from 0 to 255"
        )


def _checked_labels(labels: Any, count: int) -> tuple[str, ...]:
    if isinstance(labels, str) or not isinstance(labels, Sequence):
        raise StartError(f"a pool's labels are {labels!r}; allowed: one str per image")
    if len(labels) != count:
        raise StartError(f"a pool has {count} images and {len(labels)} labels; allowed: one label per image")
    for place, label in enumerate(labels):
        if not isinstance(label, str):
            raise StartError(f"label {place} of a pool is {label!r}; allowed: a str, empty where unknown")
    return tuple(labels)


def checked_pool(pool: Any) -> Pool | None:
    """The pool, or None; raises StartError for anything else."""
    if pool is None or isinstance(pool, Pool):
        return pool
    raise StartError(f"the pool is a {type(pool).__qualname__}; allowed: a Pool(images, labels), or None")


def make_start(
    start: Start, size: int, seed: int, *, target: Tensor | None = None, pool: Pool | None = None
) -> Tensor:
    """One start image (3, size, size) in [0, 1], of 8-bit values.

    `seed`: whole number from 0 to 2**63 - 1. The same rule, size, seed, target and pool give the same image,
    whatever else was drawn before; no global random state is touched.
    `target`: (3, size, size) in [0, 1], needed by the rules target_noise and natural; `pool` by natural.
    Raises StartError where what the rule needs is not there.
    """
    generator = torch.Generator().manual_seed(seed)
    if start.rule == "target_noise":
        noise = torch.randn((3, size, size), generator=generator)
        return quantize(_given("target", start, target) + noise * float(start.scale or 0))
    if start.rule == "natural":
        images = _given("pool", start, pool)
        place = choose(str(start.choice), _given("target", start, target), images, generator)
        return images.images[place].float() / 255
    return quantize(_RULES[start.rule]((3, size, size), generator))


def choose(choice: str, target: Tensor, pool: Pool, generator: Generator) -> int:
    """The place in the pool of the natural image that a target's descent starts from, never itself.

    `nearest`, `farthest`: by the L2 distance of pixels. `other_class`: drawn from all images whose label is
    known and not the target's, which is the label of the pool's same image.
    Raises StartError where there is none to choose.
    """
    if target.shape != pool.images.shape[1:]:
        raise StartError(
            f"the pool's images are of shape {tuple(pool.images.shape[1:])}; allowed: the target's,"
            f" {tuple(target.shape)}"
        )
    wanted = _bytes(target)
    distances = torch.stack([(one.float() - wanted.float()).norm() for one in pool.images])
    is_other = distances > 0
    if choice == "other_class":
        return _of_other_class(pool, is_other, generator)
    if not is_other.any():
        raise StartError(f"the pool has no image but the target; allowed: at least one other for {choice!r}")
    if choice == "nearest":
        return int(distances.where(is_other, torch.inf).argmin())
    return int(distances.argmax())


def _of_other_class(pool: Pool, is_other: Tensor, generator: Generator) -> int:
    own = {label for label, other in zip(pool.labels, is_other.tolist(), strict=True) if not other and label}
    if not own:
        raise StartError(
            "the target has no label in the pool, so 'other_class' can't be told; allowed: a labelled target,"
            " or the choices nearest and farthest"
        )
    places = [place for place, label in enumerate(pool.labels) if label and label not in own]
    if not places:
        raise StartError(
            f"the pool has no image of another class than {', '.join(sorted(own))}; allowed: at least one"
        )
    return places[int(torch.randint(len(places), (), generator=generator))]


_GIVE = {"target": "give target=...", "pool": "give pool=Pool(images, labels), natural images to choose from"}


def _given(name: str, start: Start, value: _Needed | None) -> _Needed:
    if value is None:
        raise StartError(f"the start rule {start.rule!r} needs a {name}; allowed: {_GIVE[name]}")
    return value


def _bytes(images: Tensor) -> Tensor:
    return images if images.dtype == torch.uint8 else images.clamp(0, 1).mul(255).round().to(torch.uint8)


def _noise(scale: float, offset: float) -> Callable[[tuple[int, ...], Generator], Tensor]:
    def draw(shape: tuple[int, ...], generator: Generator) -> Tensor:
        return torch.randn(shape, generator=generator) * scale + offset

    return draw


def _plain(value: float) -> Callable[[tuple[int, ...], Generator], Tensor]:
    def fill(shape: tuple[int, ...], generator: Generator) -> Tensor:
        return torch.full(shape, value)

    return fill


_RULES = {
    "unit_noise": _noise(1.0, 0.0),
    "light_noise": _noise(0.01, 0.0),
    "grey_noise": _noise(0.05, 0.5),
    "black": _plain(0.0),
    "white": _plain(1.0),
}
