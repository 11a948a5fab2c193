"""A private copy of a network, made fast for thousands of passes up to some layers.

Parameters are frozen, batch norm is folded into the convolution before it (unless weight or spectral norm
compute that one's weight), a convolution's own padding module into its padding, memory is laid out as is
fastest; on the CPU the stem is rewritten (see stems).
All this is kept only where the copy gives the same response as the original.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from workers.iri.extractor import Extractor
from workers.iri.graph import expose
from workers.iri.stems import has_own_weight, rewrite_stems

# Largest relative difference between the folded and the original response that rounding explains.
_TOLERANCE = 1e-4


def prepare(
    module: nn.Module,
    layers: Sequence[str],
    probe: Tensor,
    device: str | torch.device,
    layout: torch.memory_format = torch.channels_last,
) -> nn.Module:
    """A frozen copy of the network on a device, to be run up to the last of `layers`.

    `probe`: normalised images (n, 3, h, w) on which original and folded copy are compared. `layout`: of the
    weights (see precision.layout).
    Raises what Extractor raises, for instance LayerNotFound.
    """
    plain = expose(copy.deepcopy(module).eval(), layers).requires_grad_(False).to(device)
    expected = _responses(plain, layers, probe.to(device))
    folded = _folded(plain, layers, probe.to(device))
    if torch.device(device).type == "cpu":
        rewrite_stems(folded)
    folded = _laid_out(folded, layout)
    found = _responses(folded, layers, probe.to(device))
    if all(_agree(found[layer], expected[layer]) for layer in layers):
        return folded
    return _laid_out(plain, layout)


def _agree(found: Tensor, expected: Tensor) -> bool:
    return bool(torch.dist(found, expected) <= _TOLERANCE * expected.norm())


def _laid_out(module: nn.Module, layout: torch.memory_format) -> nn.Module:
    """In place; `Module.to` can do it, which its type stubs don't know."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=layout)
    return module


@torch.no_grad()
def _responses(module: nn.Module, layers: Sequence[str], probe: Tensor) -> dict[str, Tensor]:
    return Extractor(module, layers)(probe)


def _folded(module: nn.Module, layers: Sequence[str], probe: Tensor) -> nn.Module:
    folded = copy.deepcopy(module)
    for conv_name, norm_name in _pairs(module, layers, probe):
        conv, norm = folded.get_submodule(conv_name), folded.get_submodule(norm_name)
        assert isinstance(conv, nn.Conv2d)  # noqa: S101 (narrows the type; _pairs yields no other)
        conv.weight, conv.bias = _fused(conv, norm)
        folded.set_submodule(norm_name, nn.Identity())
    _absorb_padding(folded, layers)
    return folded


def _absorb_padding(module: nn.Module, layers: Sequence[str]) -> None:
    """Convolutions that first call a zero-padding child of theirs (as EfficientNet's do) pad by themselves.

    The same numbers, a tenth of EfficientNet-Lite0's time for a step saved (96 px, batch 8).
    """
    for conv_name, conv in module.named_modules():
        if not isinstance(conv, nn.Conv2d) or conv.padding != (0, 0):
            continue
        for name, child in conv.named_children():
            if isinstance(child, nn.ZeroPad2d) and f"{conv_name}.{name}" not in layers:
                left, right, top, bottom = child.padding
                if left == right and top == bottom:
                    conv.padding = (top, left)
                    conv.set_submodule(name, nn.Identity())


def _fused(conv: nn.Conv2d, norm: Any) -> tuple[nn.Parameter, nn.Parameter]:
    weight, bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    return nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)


def _pairs(module: nn.Module, layers: Sequence[str], probe: Tensor) -> list[tuple[str, str]]:
    """Names of convolutions and the batch norms that take their output, found by running the network.

    By execution rather than by structure, since many networks call them from code. Both run once, and
    none of the layers is the convolution, whose response folding would change.
    """
    names = {child: name for name, child in module.named_modules()}
    made_by: dict[int, tuple[str, Tensor]] = {}  # the tensor is held, so that its id isn't used again
    runs: Counter[str] = Counter()
    pairs: list[tuple[str, str]] = []

    def note(child: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        runs[names[child]] += 1
        if isinstance(child, nn.Conv2d) and has_own_weight(child):
            made_by[id(output)] = (names[child], output)
        elif id(inputs[0]) in made_by and child.running_mean is not None:
            pairs.append((made_by[id(inputs[0])][0], names[child]))

    handles = [
        child.register_forward_hook(note) for child in names if isinstance(child, nn.Conv2d | nn.BatchNorm2d)
    ]
    try:
        _responses(module, layers, probe)
    finally:
        for handle in handles:
            handle.remove()
    return [pair for pair in pairs if runs[pair[0]] == runs[pair[1]] == 1 and pair[0] not in layers]
