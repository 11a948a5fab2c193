"""Start images x_0: drawn from the image's own generator, then clamped and rounded to 8 bits.

What is shown to people is exactly what the descent left from (the released code of Nanda et al. optimised
from unclamped noise and showed it clamped).
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from workers.iri.images import quantize
from workers.iri.recipe import Start


def make_start(start: Start, size: int, seed: int) -> Tensor:
    """One start image (3, size, size) in [0, 1], of 8-bit values.

    `seed`: whole number from 0 to 2**63 - 1. The same rule, size and seed give the same image, whatever else
    was drawn before; no global random state is touched.
    """
    generator = torch.Generator().manual_seed(seed)
    return quantize(_RULES[start.rule]((3, size, size), generator))


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
