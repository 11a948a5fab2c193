"""Networks of one's own: any module becomes what `invert` takes."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workers.iri.arguments import checked_channels, checked_flag, checked_whole, first_line, kind_of
from workers.iri.built_network import BuiltNetwork, NetworkError
from workers.iri.networks import LARGEST_INPUT
from workers.iri.weights import state_sha256


@torch.inference_mode(False)
def from_module(
    module: nn.Module,
    *,
    input_size: int,
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    labels: Sequence[str] | None = None,
    has_classes: bool = True,
) -> BuiltNetwork:
    """A module of one's own as a network for `invert`, `measure` and `list_layers`.

    `module`: takes images (n, 3, h, w), normalised as (images - mean) / std per channel, on the CPU; gives
    logits (n, classes), or features where `has_classes` is false. A frozen copy in evaluation mode is taken,
    so what becomes of the module afterwards changes nothing.
    `input_size`: height and width in pixels that it was trained at.
    `mean`, `std`: of images in [0, 1]; where left out, images go in as they are.
    `labels`: the classes' names, in the order of the logits.
    Raises NetworkError for a value that can't be: a TorchScript program, a module that doesn't take a float32
    image of that size or gives no logits for it (one pass shows), labels that aren't as many as the logits.

    >>> import torch
    >>> from workers.iri import from_module, invert, preset
    >>> stem = torch.nn.Conv2d(3, 8, 5, stride=2)
    >>> own = torch.nn.Sequential(stem, torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    >>> network = from_module(own, input_size=32, has_classes=False)
    >>> recipe = preset("reg_free", image_size=32, steps=5)
    >>> invert(network, "1", torch.rand(2, 3, 32, 32), recipe, seeds=[0, 1]).images.shape
    torch.Size([2, 3, 32, 32])
    """
    _check_module(module)
    checked_flag("has_classes", has_classes, NetworkError)
    names = None if labels is None else _checked_labels(labels, has_classes)
    own = _copied(module).cpu().eval().requires_grad_(False)
    digest = state_sha256(own)
    network = BuiltNetwork(
        module=own,
        mean=checked_channels("mean", mean, -math.inf, NetworkError),
        std=checked_channels("std", std, 0.0, NetworkError),
        input_size=checked_whole("input_size", input_size, 1, LARGEST_INPUT, NetworkError),
        weights_sha256=digest,
        labels=names,
        has_classes=has_classes,
        provenance={
            "source": "own module",
            "architecture": f"{type(module).__module__}.{type(module).__qualname__}",
            "weights_sha256": digest,
        },
    )
    _check_output(network, _probed(network))
    return network


def _check_module(module: object) -> None:
    if not isinstance(module, nn.Module):
        raise NetworkError(f"the module is {module!r}; allowed: a torch.nn.Module")
    if any(isinstance(child, torch.jit.ScriptModule) for child in module.modules()):
        raise NetworkError(
            f"the module is or holds a TorchScript program ({kind_of(module)}); allowed: the torch.nn.Module"
            " that it was made of"
        )


@torch.no_grad()
def _probed(network: BuiltNetwork) -> object:
    """What the module gives for one grey image."""
    size = network.input_size
    image = network.normalize(torch.full((1, 3, size, size), 0.5))
    try:
        return network.module(image)
    except Exception as error:  # whatever the module's own code raises at what it can't take
        kinds = {one.dtype for one in network.module.parameters() if one.is_floating_point()}
        others = ", ".join(sorted(str(kind) for kind in kinds - {torch.float32}))
        numbers = f" Its parameters are {others}; module.float() makes them float32." if others else ""
        raise NetworkError(
            f"the module fails on a float32 image of shape (1, 3, {size}, {size}), 3 colours at input_size"
            f" {size}: {first_line(error)}.{numbers}"
        ) from error


def _check_output(network: BuiltNetwork, output: object) -> None:
    """Logits, as many as there are labels, of a network with classes."""
    if not network.has_classes:
        return
    if not isinstance(output, Tensor) or output.ndim == 0 or len(output) != 1:
        given = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {kind_of(output)}"
        raise NetworkError(
            f"the module gives {given} for one image; allowed: logits as one tensor (n, classes), or"
            " has_classes=False, for which no logits are needed"
        )
    if network.labels is not None and len(network.labels) != output.numel():
        raise NetworkError(
            f"{len(network.labels)} labels for {output.numel()} logits; allowed: one label per class"
        )


def _copied(module: nn.Module) -> nn.Module:
    """A deep copy; weights that torch.nn.utils.weight_norm computes, which torch doesn't copy, by value."""
    computed = {
        id(value): value.detach().clone()
        for child in module.modules()
        for value in vars(child).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    return copy.deepcopy(module, computed)


def _checked_labels(labels: Sequence[str], has_classes: bool) -> tuple[str, ...]:
    is_list = isinstance(labels, list | tuple) and all(isinstance(label, str) for label in labels)
    if not is_list or not labels:
        raise NetworkError(f"labels is {labels!r}; allowed: a list of the classes' names")
    if not has_classes:
        raise NetworkError(f"{len(labels)} labels with has_classes=False; allowed: none, or has_classes=True")
    return tuple(labels)
