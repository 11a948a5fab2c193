"""What the descent moves, and the images that it stands for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from workers.iri.recipe import Recipe

# The logits of 0 and 1 are infinite. This is nearer to them than half of an 8-bit step, so that the image
# left from, rounded, is the start image.
_EDGE = 0.0019
# Square root of the covariance of colours in natural images, and the factor that makes Lucid's coefficients
# about 1 (Olah et al. 2017; lucid/optvis/param/color.py and spatial.py).
_COLOUR_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
_SPECTRUM_SCALE = 4.0


class Parametrization(Protocol):
    """Numbers that stand for a batch of images. Rows are images; none depends on another's numbers."""

    @property
    def parameters(self) -> Tensor:
        """What an update rule moves in place; the first dimension is the image."""

    def images(self) -> Tensor:
        """The images (n, 3, h, w) in [0, 1], differentiable in `parameters`."""

    def project(self) -> None:
        """Bring `parameters` back to what is allowed, after a step."""

    def keep(self, rows: Tensor) -> None:
        """Forget all images but those at the indices `rows`."""

    def join(self, starts: Tensor) -> None:
        """Add images that start as `starts` (n, 3, h, w)."""

    def state_dict(self) -> dict[str, Tensor]:
        """What `load_state_dict` needs to stand for the same images, bit for bit."""

    def load_state_dict(self, state: dict[str, Tensor]) -> None: ...


class _Rows(ABC):
    """The bookkeeping that all parametrisations share; they differ in how images become numbers and back."""

    def __init__(self, starts: Tensor) -> None:
        self.parameters = self._numbers(starts)

    @abstractmethod
    def _numbers(self, starts: Tensor) -> Tensor:
        """Numbers that stand for images (n, 3, h, w) in [0, 1]."""

    @abstractmethod
    def images(self) -> Tensor:
        """The images (n, 3, h, w), differentiable in `parameters`."""

    @abstractmethod
    def project(self) -> None:
        """Bring `parameters` back to what is allowed."""

    def keep(self, rows: Tensor) -> None:
        self.parameters = self.parameters[rows]

    def join(self, starts: Tensor) -> None:
        self.parameters = torch.cat([self.parameters, self._numbers(starts)])

    def state_dict(self) -> dict[str, Tensor]:
        return {"parameters": self.parameters}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.parameters = state["parameters"].to(self.parameters.device)


class Pixels(_Rows):
    """The pixels themselves, clamped to [0, 1] after every step."""

    def _numbers(self, starts: Tensor) -> Tensor:
        return starts.clone()

    def images(self) -> Tensor:
        return self.parameters

    def project(self) -> None:
        self.parameters.clamp_(0, 1)


class Logits(_Rows):
    """x = sigmoid(theta): the image can't leave [0, 1], so nothing is ever clamped."""

    def _numbers(self, starts: Tensor) -> Tensor:
        return _logits(starts)

    def images(self) -> Tensor:
        return self.parameters.sigmoid()

    def project(self) -> None:
        """Every number is allowed."""


class Fourier(_Rows):
    """Scaled Fourier coefficients in decorrelated colours, then a sigmoid (Olah et al. 2017, Lucid).

    `parameters`: (n, 3, h, w // 2 + 1, 2), real and imaginary parts of a half spectrum, each divided by its
    scale sqrt(w h) / max(frequency, 1 / max(w, h)), so that all frequencies of a natural image move alike.
    """

    def __init__(self, starts: Tensor) -> None:
        height, width = starts.shape[-2:]
        self._size = height, width
        self._scale = spectrum_scale(height, width).to(starts.device)
        self._colours = colour_matrix().to(starts.device)
        super().__init__(starts)

    def _numbers(self, starts: Tensor) -> Tensor:
        # In double precision: the division by tiny scales would lose what float32 holds.
        colours = torch.einsum("ij,njhw->nihw", self._colours.double().inverse(), _logits(starts.double()))
        spectrum = torch.fft.rfft2(colours * _SPECTRUM_SCALE, norm="ortho") / self._scale
        return torch.view_as_real(spectrum).to(starts.dtype).contiguous()

    def images(self) -> Tensor:
        spectrum = torch.view_as_complex(self.parameters) * self._scale
        colours = torch.fft.irfft2(spectrum, s=self._size, norm="ortho") / _SPECTRUM_SCALE
        return torch.einsum("ij,njhw->nihw", self._colours, colours).sigmoid()

    def project(self) -> None:
        """Every number is allowed; clamping coefficients to [0, 1] would keep most spectra out."""


def _logits(images: Tensor) -> Tensor:
    return images.clamp(_EDGE, 1 - _EDGE).logit()


def colour_matrix() -> Tensor:
    """(3, 3): decorrelated colours to red, green and blue; orthogonal columns, the longest of length 1.

    Lucid's numbers, which have two decimals: brightness, red against blue, green against both.
    """
    root = torch.tensor(_COLOUR_ROOT)
    return root / root.norm(dim=0).max()


def spectrum_scale(height: int, width: int) -> Tensor:
    """(height, width // 2 + 1): sqrt(width height) / max(frequency, 1 / max(width, height)) (Lucid).

    Frequencies are in cycles per pixel.
    """
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    frequency = (down.square() + across.square()).sqrt()
    return (width * height) ** 0.5 / frequency.clamp_min(1 / max(width, height))


_KINDS: dict[str, Callable[[Tensor], Parametrization]] = {
    "pixel": Pixels,
    "sigmoid": Logits,
    "fourier": Fourier,
}


def parametrize(recipe: Recipe, starts: Tensor) -> Parametrization:
    """The recipe's parametrisation of images that start as `starts` (n, 3, h, w) in [0, 1]."""
    return _KINDS[recipe.parametrization](starts)
