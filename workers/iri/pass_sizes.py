"""How many images a pass takes on a GPU: one of a few numbers, the rest of it filled up.

For every number of images it has not seen, cuDNN chooses kernels anew and compiles some of them: of
EfficientNet-Lite0 that took 4 s, as long as 500 steps (docs/performance.md). Images that leave one by one
would have a search spend its time on that.
"""

from __future__ import annotations

import torch
from torch import Tensor

# A pass of a quarter of the images is worth the kernels of its own; small ones take as long as it on a GPU.
_APART = 4


def room_for(count: int, most: int) -> int:
    """The size of a pass for `count` images: `most`, a quarter of it, a quarter of that, ...

    >>> [room_for(count, 64) for count in (64, 17, 16, 5, 4, 1)]
    [64, 64, 16, 16, 4, 1]
    """
    room = max(count, most)
    while room // _APART >= count:
        room //= _APART
    return room


def filled_up(images: Tensor, room: int) -> Tensor:
    """Images (n, 3, h, w) and grey ones behind them, `room` in all. Gradients reach the images alone."""
    missing = room - len(images)
    if missing <= 0:
        return images
    is_last = images.is_contiguous(memory_format=torch.channels_last)
    grey = torch.empty(
        (missing, *images.shape[1:]),
        dtype=images.dtype,
        device=images.device,
        memory_format=torch.channels_last if is_last else torch.contiguous_format,
    )
    return torch.cat([images, grey.fill_(0.5)])
