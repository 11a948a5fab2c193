"""Memory: kept while a search runs, and what to do where it is short.

Freed memory stays with the process while a search runs, so that no step asks the system for it again.

The GNU C library maps every large tensor anew and gives it back when it is freed, and the kernel zeroes each
page at its first use: up to two thirds of a pass over 32 images of 224 px (docs/performance.md).
Where the C library is another (macOS, Alpine), nothing is changed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, partial
from typing import TypeVar

import torch

T = TypeVar("T")

# Memory that ran out, as RuntimeErrors that are no torch.OutOfMemoryError say it: the CPU's allocator; CUDA,
# cuBLAS and cuDNN outside of torch's allocator; and cuDNN where no way to convolve found its work space.
_SHORT = (
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "unable to find an engine to execute this computation",
)

# Names and numbers of <malloc.h>. The trim threshold is an int; the largest means never.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


@cache
def keep_freed_memory() -> bool:
    """Tell the process's allocator to keep what is freed, once; whether it could be told.

    The most memory that the process ever holds stays the same.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _NEVER))


def give_back_freed_memory() -> None:
    """Let the system have what was kept, after a search."""
    if keep_freed_memory():
        ctypes.CDLL(None).malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; torch has an error of its own for it, and others known by their words."""
    said = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(words in said for words in _SHORT)


def unless_short(compute: Callable[[], T], size: int) -> T | None:
    """What `compute` gives for a pass of `size` images; None where memory ran out and fewer may fit."""
    try:
        return compute()
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        if size == 1 or not is_out_of_memory(error):
            raise
    # Outside of `except`, whose traceback would hold on to the pass's tensors.
    torch.cuda.empty_cache()  # nothing where no GPU is in use
    return None


def in_passes(compute: Callable[[slice], T], count: int, size: int) -> tuple[list[T], int]:
    """What `compute` gives for rows 0 to `count`, at most `size` a pass, and half where memory is short.

    Returns the parts in order, and how many rows went into a pass at last.
    """
    parts: list[T] = []
    start = 0
    while start < count:
        rows = slice(start, min(start + size, count))
        part = unless_short(partial(compute, rows), size)
        if part is None:
            size = max(1, size // 2)
        else:
            parts.append(part)
            start = rows.stop
    return parts, size
