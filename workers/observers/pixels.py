"""Pixels themselves as an observer."""

from torch import Tensor

from workers.observers.observer import Observer

VERSION = "1"


def pixel_l2() -> Observer:
    """Root mean square difference over colour values in [0, 1]: 0 for equal images, 1 for black and white."""
    return Observer("pixel-l2", VERSION, _root_mean_square)


def _root_mean_square(images: Tensor, others: Tensor) -> Tensor:
    return (images.double() - others.double()).square().flatten(1).mean(dim=1).sqrt()
