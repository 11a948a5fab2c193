"""What makes an image more or less natural by itself: one value per image, on images in [0, 1].

Never on normalised or transformed pixels. All of them take images (n, 3, h, w) and return (n,).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

# The slope of a root at 0 is infinite; below this the sum counts as 0 and pulls nowhere.
_LEAST = 1e-12


def total_variation(images: Tensor, power: float = 2.0) -> Tensor:
    """TV(power) = (sum dx^2 + sum dy^2)^(power / 2), dx and dy the differences of neighbouring pixels.

    Mahendran & Vedaldi (CVPR 2015) raise each pixel's squares to the power; here, as in the code of
    Nanda et al. (AAAI 2023), the sum over the image is raised, which is the same for power 2.

    >>> total_variation(torch.tensor([[[[0.0, 0.5], [0.0, 0.5]]]]))
    tensor([0.5000])
    """
    across, down = images.diff(dim=3), images.diff(dim=2)
    total = across.square().sum(dim=(1, 2, 3)) + down.square().sum(dim=(1, 2, 3))
    return total if power == 2 else total.clamp_min(_LEAST).pow(power / 2)


def blurred(images: Tensor) -> Tensor:
    """Images under a 3x3 kernel of centre 1 and ring 0.5, normalised by the weights that fall on the image.

    As Lucid's blur does (Olah et al. 2017), so that borders are not darkened.
    """
    kernel = images.new_full((3, 3), 0.5)
    kernel[1, 1] = 1
    channels = images.shape[1]
    weights = kernel.expand(channels, 1, 3, 3)
    total = conv2d(torch.ones_like(images[:1]), weights, padding=1, groups=channels)
    return conv2d(images, weights, padding=1, groups=channels) / total


def blur(images: Tensor) -> Tensor:
    """0.5 sum (x - blur3(x))^2, the blurred image taken as a constant, so the gradient is x - blur3(x)."""
    return 0.5 * (images - blurred(images.detach())).square().sum(dim=(1, 2, 3))


def l1(images: Tensor, about: float = 0.5) -> Tensor:
    """sum |x - about|."""
    return (images - about).abs().sum(dim=(1, 2, 3))


def lp(images: Tensor, power: float = 6.0, about: float = 0.0) -> Tensor:
    """(sum |x - about|^power)^(1 / power); its gradient at 0 is 0.

    >>> lp(torch.tensor([[[[0.3, 0.4]]]]), power=2)
    tensor([0.5000])
    """
    total = (images - about).abs().pow(power).sum(dim=(1, 2, 3))
    # Small images of small values have small sums: only an exact 0 is kept from the root.
    return total.where(total > 0, torch.ones_like(total)).pow(1 / power) * (total > 0)
