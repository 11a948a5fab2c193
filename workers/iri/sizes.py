"""Which image sizes a network takes, where it refused one."""

from __future__ import annotations

from collections.abc import Callable

# Sizes tried to tell which ones a network takes that refused another.
_COMMON_SIZES = (32, 64, 96, 128, 160, 192, 224, 240, 256, 288, 299, 320, 384, 448, 512)
# What networks raise that can't take a size.
REFUSALS = RuntimeError, AssertionError, ValueError


class SizeRefused(ValueError):
    """An image size that the network can't take; the message names those that it can."""


def explained(
    run: Callable[[int], object], size: int, own_size: int, error: RuntimeError | AssertionError | ValueError
) -> Exception:
    """SizeRefused where other sizes work, the error itself where none does.

    `run`: passes an image of a size (pixels) through the network. `own_size`: what it was trained at.
    """
    tried = sorted({*_COMMON_SIZES, own_size} - {size})
    allowed = [str(one) for one in tried if _takes(run, one)]
    if not allowed:
        return error
    said = str(error).partition("\n")[0] or type(error).__name__
    return SizeRefused(
        f"the network can't take images of {size} × {size} pixels ({said});"
        f" of the sizes tried it takes {', '.join(allowed)}"
    )


def _takes(run: Callable[[int], object], size: int) -> bool:
    try:
        run(size)
    except REFUSALS:
        return False
    return True
