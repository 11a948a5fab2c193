"""Random views of an image, drawn for every image and step from generators of their own.

Pad, jitter, scale and rotation are one affine map, so that an image is resampled once, keeps its size, and
images of one batch have views of their own. Lucid (Olah et al. 2017) resamples after each transform and lets
the size change, which a layer with a response per place could not be matched through.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from workers.iri.recipe import Transform


def transform(
    transforms: Sequence[Transform], images: Tensor, seeds: Sequence[int], steps: Sequence[int]
) -> Tensor:
    """A random view T(x) of each image (n, 3, h, w); same shape, differentiable in the images.

    The same transforms, seed and step give the same view, whatever else is in the batch; no global random
    state is touched. What lies beyond the border continues the nearest border pixel.
    """
    if not transforms:
        return images
    height, width = images.shape[-2:]
    maps = [_drawn(transforms, _generator(seed, step)) for seed, step in zip(seeds, steps, strict=True)]
    frame, grey = _frame(transforms)
    canvas = pad(images, (frame,) * 4, value=grey) if frame else images
    return _resampled(canvas, torch.stack(maps), height, width)


def _generator(seed: int, step: int) -> Generator:
    """A generator of its own for each image and step."""
    digest = hashlib.sha256(f"{seed}:{step}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _drawn(transforms: Sequence[Transform], generator: Generator) -> Tensor:
    """(3, 3): from a pixel of the view to the pixel of the image that it shows, both from the centre."""
    backwards = torch.eye(3, dtype=torch.float64)
    for one in transforms:
        backwards = backwards @ _inverse(one, generator)
    return backwards


def _inverse(one: Transform, generator: Generator) -> Tensor:
    """The inverse of a drawn transform, in pixels from the centre."""
    matrix = torch.eye(3, dtype=torch.float64)
    if one.kind == "jitter":
        reach = int(one.pixels or 0) // 2
        matrix[:2, 2] = torch.randint(-reach, reach + 1, (2,), generator=generator).double()
    if one.kind == "scale":
        matrix[0, 0] = matrix[1, 1] = 1 / _value(one, generator)
    if one.kind == "rotate":
        angle = math.radians(_value(one, generator))
        matrix[0, 0] = matrix[1, 1] = math.cos(angle)
        matrix[0, 1], matrix[1, 0] = -math.sin(angle), math.sin(angle)
    return matrix


def _value(one: Transform, generator: Generator) -> float:
    """A factor or angle: any from low to high, or one of low, low + step, ... up to high."""
    low, high = float(one.low or 0), float(one.high or 0)
    if one.step is None:
        return low + (high - low) * torch.rand((), generator=generator).item()
    # 0.9 to 1.1 in steps of 0.02 are eleven values, though (1.1 - 0.9) / 0.02 falls short of 10.
    count = math.floor((high - low) / one.step + 1e-9) + 1
    return low + one.step * int(torch.randint(count, (), generator=generator))


def _frame(transforms: Sequence[Transform]) -> tuple[int, float]:
    """Width in pixels and grey of the frame around the image."""
    first = transforms[0]
    return (int(first.pixels or 0), float(first.value or 0)) if first.kind == "pad" else (0, 0.0)


def _resampled(canvas: Tensor, maps: Tensor, height: int, width: int) -> Tensor:
    """Views (n, 3, height, width) of a canvas; `maps` (n, 3, 3) in pixels from the common centre."""
    view = torch.diag(torch.tensor([width / 2, height / 2, 1.0], dtype=torch.float64))
    shown = torch.diag(torch.tensor([2 / canvas.shape[3], 2 / canvas.shape[2], 1.0], dtype=torch.float64))
    theta = (shown @ maps @ view)[:, :2].to(canvas.device, canvas.dtype)
    grid = affine_grid(theta, [len(canvas), canvas.shape[1], height, width], align_corners=False)
    return grid_sample(canvas, grid, mode="bilinear", padding_mode="border", align_corners=False)
