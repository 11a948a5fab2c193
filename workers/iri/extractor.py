"""A layer's response, from a forward pass that stops there."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import Tensor, nn

from workers.iri.layer_errors import LayerError, LayerNotFound
from workers.iri.tokens import pick, split

__all__ = ["LayerError", "LayerNotFound", "find_layer", "respond", "respond_with_logits"]

_NEAREST = 5


class _Reached(BaseException):
    """A signal from inside the forward pass, not an error: nothing on its way may take it for one."""

    def __init__(self, output: Any) -> None:
        super().__init__("the layer has run")
        self.output = output


def find_layer(module: nn.Module, layer: str) -> nn.Module:
    """The submodule that a layer names, tokens selected of it or not (see tokens).

    Raises LayerNotFound naming the nearest valid names.
    """
    layer, _ = split(layer)
    names = {name: child for name, child in module.named_modules() if name}
    if layer in names:
        return names[layer]
    nearest = difflib.get_close_matches(layer, names, _NEAREST, cutoff=0.0)
    raise LayerNotFound(f"the network has no layer {layer!r}; nearest: {', '.join(nearest)}")


def _picked(module: nn.Module, layer: str, output: Any) -> Tensor:
    if not isinstance(output, Tensor):
        raise LayerError(_no_tensor(module, layer, output))
    return pick(module, layer, output)


def respond(module: nn.Module, layer: str, inputs: Tensor) -> Tensor:
    """The layer's response to normalised images (n, 3, h, w), flattened to (n, d). No later layer runs.

    Where a layer runs several times in one pass, its first response is taken.
    Raises LayerNotFound for an unknown name; LayerError where the layer doesn't run or gives no tensor of
    one row per image.
    """
    output = _picked(module, layer, _stop_at(module, layer, inputs))
    if output.ndim == 0 or output.shape[0] != inputs.shape[0] or not output.is_floating_point():
        raise LayerError(
            f"layer {layer!r} gives {output.dtype} of shape {tuple(output.shape)}"
            f" for {inputs.shape[0]} images; allowed: floating-point numbers, one row per image"
        )
    return output.flatten(1)


def _stop_at(module: nn.Module, layer: str, inputs: Tensor) -> Any:
    def stop(_module: nn.Module, _inputs: Any, output: Any) -> None:
        raise _Reached(output)

    handle = find_layer(module, layer).register_forward_hook(stop)
    try:
        module(inputs)
    except _Reached as reached:
        return reached.output
    finally:
        handle.remove()
    raise LayerError(f"layer {layer!r} does not run in a forward pass of the network")


def respond_with_logits(module: nn.Module, layer: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The layer's response (n, d) and the network's output (n, classes), from one whole pass.

    Raises as `respond` does.
    """
    seen: list[Any] = []

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        # A later in-place operation may overwrite the tensor itself.
        seen.append(output.clone() if isinstance(output, Tensor) else output)

    handle = find_layer(module, layer).register_forward_hook(keep)
    try:
        logits = module(inputs)
    finally:
        handle.remove()
    if not seen:
        raise LayerError(f"layer {layer!r} does not run in a forward pass of the network")
    return _picked(module, layer, seen[0]).flatten(1), torch.as_tensor(logits)


def _no_tensor(module: nn.Module, layer: str, output: Any) -> str:
    children = [f"{layer}.{name}" for name, _ in find_layer(module, layer).named_children()]
    usable = f"; its parts: {', '.join(children[:_NEAREST])}" if children else ""
    return f"layer {layer!r} gives a {type(output).__name__}; allowed: a tensor{usable}"
