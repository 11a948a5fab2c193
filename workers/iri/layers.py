"""Which layers a network has: what runs in a forward pass, in order, with the shape of its response."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from workers.iri.networks import BuiltNetwork

# Modules that only pass their input on in evaluation mode, or pad it.
_NOISE = ("Dropout", "Identity", "DropPath", "StochasticDepth", "ZeroPad")
_PROBE_IMAGES = 2  # tells a batch dimension from others
POOLED, LOGITS = "pooled", "logits"


@dataclass(frozen=True)
class LayerInfo:
    """A layer that can be matched.

    `depth` counts from 0 in the order in which layers finish; `output_shape` is one image's response;
    `role` is "logits" for the class scores, "pooled" for the last pooled features, otherwise "".
    """

    name: str
    depth: int
    output_shape: tuple[int, ...]
    role: str = ""


@dataclass(frozen=True)
class _Response:
    name: str
    module: nn.Module
    output: Tensor

    @property
    def is_leaf(self) -> bool:
        return not any(True for _ in self.module.children())

    @property
    def is_spatial(self) -> bool:
        return self.output.ndim > 2 and self.output[0, 0].numel() > 1


def list_layers(built: BuiltNetwork, image_size: int) -> list[LayerInfo]:
    """The layers that `invert` can match at this image size (pixels), in the order in which they finish.

    Left out: what never runs, what runs more than once in a pass (which run would be meant?), what gives no
    tensor with one row per image that depends on the image, dropout and padding.
    Raises RuntimeError where the network can't take images of this size.
    """
    responses, logits = _responses(built, image_size)
    logits_name = _logits_name(responses, logits)
    pooled_name = _pooled_name(responses, logits_name)
    roles = {pooled_name: POOLED, logits_name: LOGITS}
    return [
        LayerInfo(one.name, depth, tuple(one.output.shape[1:]), roles.get(one.name, ""))
        for depth, one in enumerate(responses)
    ]


def _responses(built: BuiltNetwork, image_size: int) -> tuple[list[_Response], Tensor]:
    names = {module: name for name, module in built.module.named_modules() if name}
    runs: Counter[str] = Counter()
    responses: list[_Response] = []

    def note(module: nn.Module, _inputs: Any, output: Any) -> None:
        runs[names[module]] += 1
        if _is_usable(module, output):
            responses.append(_Response(names[module], module, output.detach().clone()))

    handles = [module.register_forward_hook(note) for module in names]
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(_PROBE_IMAGES, 3, image_size, image_size, generator=generator)
    try:
        # With gradients, as in the descent: what doesn't depend on the image shows itself.
        logits = built.module(built.normalize(images).requires_grad_())
    finally:
        for handle in handles:
            handle.remove()
    return [one for one in responses if runs[one.name] == 1], logits.detach()


def _is_usable(module: nn.Module, output: Any) -> bool:
    if type(module).__name__.startswith(_NOISE) or not isinstance(output, Tensor):
        return False
    return output.requires_grad and output.ndim > 1 and output.shape[0] == _PROBE_IMAGES


def _logits_name(responses: list[_Response], logits: Tensor) -> str | None:
    equal = [
        one
        for one in responses
        if one.output.numel() == logits.numel() and torch.equal(one.output.flatten(1), logits.flatten(1))
    ]
    leaves = [one for one in equal if one.is_leaf]
    return (leaves or equal)[-1].name if equal else None


def _pooled_name(responses: list[_Response], logits_name: str | None) -> str | None:
    """The last pooling after which nothing has spatial extent, unless it is the class scores themselves."""
    pooled = None
    for one in responses:
        if one.is_spatial:
            pooled = None
        elif "Pool" in type(one.module).__name__ and one.name != logits_name:
            pooled = one.name
    return pooled
