"""How precisely a descent computes. What it finds is always judged in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

PRECISIONS = ("float32", "tf32", "bf16")


class PrecisionError(ValueError):
    """A precision that can't be; the message names the value given and what is allowed."""


def check_precision(precision: str, device: torch.device) -> None:
    """Raise PrecisionError for an unknown precision, or for one that the device doesn't have."""
    if precision not in PRECISIONS:
        raise PrecisionError(f"precision is {precision!r}; allowed: {', '.join(PRECISIONS)}")
    if precision == "tf32" and device.type != "cuda":
        raise PrecisionError(f"precision is 'tf32' on {device}; allowed there: float32, bf16")


def layout(precision: str, device: torch.device) -> torch.memory_format:
    """How images and weights lie in memory where that is fastest (docs/performance.md).

    Channel by channel on a GPU but for bf16; elsewhere the channels of a pixel beside one another.
    """
    is_plain = device.type == "cuda" and precision != "bf16"
    return torch.contiguous_format if is_plain else torch.channels_last


@contextmanager
def computing(precision: str, device: torch.device) -> Iterator[None]:
    """Within it the device computes so, and on a GPU by those of cuDNN's kernels that repeat bit for bit.

    float32: without TF32, which torch otherwise lets convolutions use. tf32: products of 10-bit mantissas,
    sums in float32 (NVIDIA A100 and later). bf16: torch.autocast, 7-bit mantissas.
    """
    with (
        _on_gpu(precision == "tf32", device),
        torch.autocast(device.type, torch.bfloat16, precision == "bf16"),
    ):
        yield


@contextmanager
def computing_back(precision: str, device: torch.device) -> Iterator[None]:
    """For the way back through a pass that went forward within `computing`.

    TF32 is a matter of when a kernel is chosen; that gradients are bf16 where the pass was is settled by it.
    """
    with computing("tf32" if precision == "tf32" else "float32", device):
        yield


@contextmanager
def _on_gpu(is_tf32: bool, device: torch.device) -> Iterator[None]:
    if device.type != "cuda":
        yield
        return
    products, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, cudnn.allow_tf32, cudnn.deterministic
    try:
        products.allow_tf32 = cudnn.allow_tf32 = is_tf32
        cudnn.deterministic = True
        yield
    finally:
        products.allow_tf32, cudnn.allow_tf32, cudnn.deterministic = before
