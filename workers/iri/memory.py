"""Freed memory stays with the process while a search runs, so that no step asks the system for it again.

The GNU C library maps every large tensor anew and gives it back when it is freed, and the kernel zeroes each
page at its first use: up to two thirds of a pass over 32 images of 224 px (docs/performance.md).
Where the C library is another (macOS, Alpine), nothing is changed.
"""

from __future__ import annotations

import ctypes
from functools import cache

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
