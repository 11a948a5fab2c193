"""A network's first convolution, rewritten so that its gradient to the image is cheap.

A strided convolution over an image's three channels is cheap forwards, but its gradient to the image took
about five times as long on the CPU (ResNet-18's stem, 224 px). Space to depth makes of it an unstrided
convolution over 3 s^2 channels with a kernel 1/s as wide: the same sums in another order.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

# Channels of an image; kernels below the smallest gained nothing (EfficientNet-Lite's 3 x 3).
_MOST_CHANNELS = 4
_SMALLEST_KERNEL = 4


class SpaceToDepthConv(nn.Module):
    """Gives what `conv` gives for images (n, c, h, w), up to the order of summation.

    `conv`: strided, zero-padded, neither dilated nor grouped (see `can_be_rewritten`).
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self._kernel, self._stride, self._padding = conv.kernel_size[0], conv.stride[0], _padding(conv)
        self._cells = math.ceil(self._kernel / self._stride)
        missing = self._cells * self._stride - self._kernel
        weight = functional.pixel_unshuffle(
            functional.pad(conv.weight.detach(), (0, missing) * 2), self._stride
        )
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach(), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        down, across = (self._after(side) for side in images.shape[-2:])
        padded = functional.pad(images, (self._padding, across, self._padding, down))
        cells = functional.pixel_unshuffle(padded, self._stride)
        return functional.conv2d(cells, self.weight, self.bias)

    def _after(self, side: int) -> int:
        """Pixels to add after the last one (fewer than none: to leave out), so that whole cells remain."""
        outputs = (side + 2 * self._padding - self._kernel) // self._stride + 1
        return (outputs - 1 + self._cells) * self._stride - side - self._padding


def rewrite_stems(module: nn.Module) -> None:
    """In place: every convolution that looks at an image and gains by it becomes a SpaceToDepthConv."""
    for name, child in list(module.named_modules()):
        if name and isinstance(child, nn.Conv2d) and can_be_rewritten(child):
            module.set_submodule(name, SpaceToDepthConv(child))


def has_own_weight(conv: nn.Conv2d) -> bool:
    """Whether the weight is a parameter, and not computed from others as by weight or spectral norm."""
    return "weight" in dict(conv.named_parameters(recurse=False))


def can_be_rewritten(conv: nn.Conv2d) -> bool:
    """Whether SpaceToDepthConv can stand for the convolution, and is faster on the CPU."""
    # Subclasses may do more than a convolution, as those that pad first.
    return (
        type(conv) is nn.Conv2d
        and has_own_weight(conv)
        and conv.in_channels <= _MOST_CHANNELS
        and conv.groups == 1
        and conv.dilation == (1, 1)
        and conv.padding_mode == "zeros"
        and conv.padding != "same"
        and len({*conv.kernel_size}) == len({*conv.stride}) == 1
        and (conv.padding == "valid" or len({*conv.padding}) == 1)
        and conv.kernel_size[0] >= _SMALLEST_KERNEL
        and 1 < conv.stride[0] <= conv.kernel_size[0]
    )


def _padding(conv: nn.Conv2d) -> int:
    return 0 if conv.padding == "valid" else int(conv.padding[0])
