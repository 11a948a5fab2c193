"""Layers' responses, from a forward pass that stops where the last of them has run."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from workers.iri.layer_errors import LayerError, LayerNotFound
from workers.iri.tokens import pick, split

__all__ = [
    "Extractor",
    "LayerError",
    "LayerNotFound",
    "find_layer",
    "respond",
    "row_per_image",
]

_NEAREST = 5


class _Reached(BaseException):
    """A signal from inside the forward pass, not an error: nothing on its way may take it for one."""


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


class Extractor:
    """Layers' responses, from forward passes that end with the last layer needed.

    Layers are looked up once, so that thousands of passes don't pay for it.
    Raises LayerNotFound for an unknown name.
    """

    def __init__(self, module: nn.Module, layers: Sequence[str]) -> None:
        self._module = module
        self._hooked = {layer: find_layer(module, layer) for layer in layers}

    def __call__(self, inputs: Tensor) -> dict[str, Tensor]:
        """The layers' responses to normalised images (n, 3, h, w), each flattened to (n, d).

        Where a layer runs several times in one pass, its first response is taken.
        Raises LayerError where a layer doesn't run or gives no tensor of one row per image.
        """
        return self._rows(self._run(inputs, stops=True)[0], len(inputs))

    def with_output(self, inputs: Tensor) -> tuple[dict[str, Tensor], Any]:
        """The same, and what the whole network gives, from one pass.

        Raises as calling it does.
        """
        seen, output = self._run(inputs, stops=False)
        return self._rows(seen, len(inputs)), output

    def _rows(self, outputs: dict[str, Any], count: int) -> dict[str, Tensor]:
        missing = [layer for layer in self._hooked if layer not in outputs]
        if missing:
            raise LayerError(f"layer {missing[0]!r} does not run in a forward pass of the network")
        return {layer: row_per_image(self._module, layer, outputs[layer], count) for layer in self._hooked}

    def _run(self, inputs: Tensor, *, stops: bool) -> tuple[dict[str, Any], Any]:
        """What the layers gave, and the network where it ran to its end."""
        seen: dict[str, Any] = {}
        handles = [
            hooked.register_forward_hook(partial(self._see, layer, seen, stops))
            for layer, hooked in self._hooked.items()
        ]
        try:
            return seen, self._module(inputs)
        except _Reached:
            return seen, None
        finally:
            for handle in handles:
                handle.remove()

    def _see(
        self, layer: str, seen: dict[str, Any], stops: bool, _module: nn.Module, _inputs: Any, output: Any
    ) -> None:
        if layer in seen:
            return
        is_end = stops and len(seen) == len(self._hooked) - 1
        # A later in-place operation may overwrite what an earlier layer gave.
        seen[layer] = output if is_end or not isinstance(output, Tensor) else output.clone()
        if is_end:
            raise _Reached


def row_per_image(module: nn.Module, layer: str, output: Any, count: int) -> Tensor:
    """What a layer gave for `count` images, tokens selected of it or not, as (count, d).

    Raises LayerError where it is no tensor of one row per image.
    """
    output = _picked(module, layer, output)
    if output.ndim == 0 or output.shape[0] != count or not output.is_floating_point():
        raise LayerError(
            f"layer {layer!r} gives {output.dtype} of shape {tuple(output.shape)}"
            f" for {count} images; allowed: floating-point numbers, one row per image"
        )
    return output.flatten(1)


def respond(module: nn.Module, layer: str, inputs: Tensor) -> Tensor:
    """The layer's response to normalised images (n, 3, h, w), flattened to (n, d). No later layer runs.

    Raises as Extractor does.
    """
    return Extractor(module, (layer,))(inputs)[layer]


def _no_tensor(module: nn.Module, layer: str, output: Any) -> str:
    children = [f"{layer}.{name}" for name, _ in find_layer(module, layer).named_children()]
    usable = f"; its parts: {', '.join(children[:_NEAREST])}" if children else ""
    return (
        f"layer {layer!r} gives a {type(output).__name__}; allowed: a tensor{usable};"
        " list_layers names all that can be used"
    )
