"""Checks of what the library's functions are given; a refusal names argument, value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Any

from torch import Tensor

from workers.iri.built_network import BuiltNetwork
from workers.iri.layer_errors import LayerNotFound

Channels = tuple[float, float, float]
Refusal = type[ValueError]
# Above it a mean or standard deviation is of pixels from 0 to 255.
_MOST_IN_UNITS = 10.0


def kind_of(value: object) -> str:
    """The name of the value's class, with the module that it is from."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def described(value: object) -> str:
    """A short value as it is written, any other by its kind."""
    return repr(value) if isinstance(value, str | bytes | int | float | None) else f"a {kind_of(value)}"


def first_line(error: BaseException) -> str:
    """Of what an error says; its class's name where it says nothing."""
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__


def check_layer(layer: object) -> None:
    if not isinstance(layer, str):
        raise LayerNotFound(f"the layer is {described(layer)}; allowed: a name, as list_layers gives")


def check_function(name: str, value: object, refusal: Refusal) -> None:
    if not callable(value):
        raise refusal(f"{name} is {described(value)}; allowed: a function")


def check_network(network: object, refusal: Refusal) -> None:
    if not isinstance(network, BuiltNetwork):
        raise refusal(
            f"the network is a {kind_of(network)}; allowed: a BuiltNetwork, as build or from_module gives"
        )


def checked_whole(name: str, value: Any, low: int, high: int | None, refusal: Refusal) -> int:
    """The value as a plain int; whole numbers of other libraries (numpy's, a tensor of one) are taken."""
    allowed = f"whole numbers from {low}" + ("" if high is None else f" to {high:,}")
    try:
        whole = index(value)
    except TypeError as error:
        raise refusal(f"{name} is {described(value)}; allowed: {allowed}") from error
    if isinstance(value, bool) or whole < low or (high is not None and whole > high):
        raise refusal(f"{name} is {described(value)}; allowed: {allowed}")
    return whole


def checked_flag(name: str, value: object, refusal: Refusal) -> None:
    if not isinstance(value, bool):
        raise refusal(f"{name} is {described(value)}; allowed: True or False")


def checked_channels(name: str, values: Any, above: float, refusal: Refusal) -> Channels:
    """Three finite numbers above a limit, one per colour channel."""
    try:
        red, green, blue = (float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise refusal(f"{name} is {values!r}; allowed: three numbers, one per channel") from error
    if not all(above < one < math.inf for one in (red, green, blue)):
        limit = "" if above == -math.inf else f" above {above:g}"
        raise refusal(f"{name} is {values!r}; allowed: finite numbers{limit}")
    if max(map(abs, (red, green, blue))) > _MOST_IN_UNITS:
        raise refusal(
            f"{name} is {values!r}; allowed: numbers for images in [0, 1], as (0.485, 0.456, 0.406);"
            " divide by 255 what is for pixels from 0 to 255"
        )
    return red, green, blue


def checked_images(name: str, images: Any, refusal: Refusal, like: Sequence[int] | None = None) -> Tensor:
    """Floating-point images (n, 3, h, w) in [0, 1] as float32, of the shape `like` where one is given.

    Numbers that are not finite pass: an image with such fails by itself, with its reason, beside the others.
    """
    if not isinstance(images, Tensor):
        raise refusal(f"{name} are a {kind_of(images)}; allowed: a torch.Tensor of shape (n, 3, h, w)")
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise refusal(
            f"{name} are {images.dtype} of shape {tuple(images.shape)};"
            " allowed: floating-point numbers of shape (n, 3, h, w)"
        )
    if like is not None and tuple(images.shape) != tuple(like):
        raise refusal(f"{name} have shape {tuple(images.shape)}; allowed: {tuple(like)}, as the images")
    finite = images[images.isfinite()]
    if len(finite) and not (finite.min() >= 0 and finite.max() <= 1):
        raise refusal(f"{name} range from {finite.min():g} to {finite.max():g}; allowed: numbers from 0 to 1")
    return images.float()
