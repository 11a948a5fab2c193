"""Which image sizes a network takes, where it refused one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from workers.iri.arguments import first_line
from workers.iri.layer_errors import LayerError
from workers.iri.memory import is_out_of_memory

# Sizes tried to tell which ones a network takes that refused another.
_COMMON_SIZES = (32, 64, 96, 128, 160, 192, 224, 240, 256, 288, 299, 320, 384, 448, 512)
_TRACED = re.compile(r"Proxy\(\w+\)")
# What networks raise that can't take a size.
REFUSALS = RuntimeError, AssertionError, ValueError


class SizeRefused(ValueError):
    """An image size that the network can't take; the message names those that it can."""


@contextmanager
def explaining(run: Callable[[int], object], size: int | Sequence[int], own_size: int) -> Iterator[None]:
    """What a pass through a network raises within it becomes SizeRefused where other sizes work.

    `run`: passes an image of a size (pixels, square) through the network. `size`: of the images, or their
    height and width. `own_size`: what the network was trained at. Where no size works, the error stays.
    """
    try:
        yield
    except REFUSALS as error:
        if isinstance(error, LayerError) or is_out_of_memory(error):
            raise
        height, width = (size, size) if isinstance(size, int) else size
        tried = sorted({*_COMMON_SIZES, own_size} - ({height} if height == width else set()))
        allowed = [str(one) for one in tried if _takes(run, one)]
        if not allowed:
            raise
        raise SizeRefused(
            f"the network can't take images of {height} × {width} pixels ({_said(error)});"
            f" of the sizes tried it takes {', '.join(allowed)}"
        ) from error


def _said(error: BaseException) -> str:
    """The error's first line, without what tracing puts in place of numbers."""
    return _TRACED.sub("another", first_line(error))


def _takes(run: Callable[[int], object], size: int) -> bool:
    try:
        run(size)
    except REFUSALS:
        return False
    return True
