"""Whether a network answers each image by itself, which a search of several at a time relies on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from workers.iri.layer_errors import LayerError
from workers.iri.sizes import REFUSALS

# Largest relative difference between two passes over one image that rounding explains.
_TOLERANCE = 1e-3

Respond = Callable[[Tensor], dict[str, Tensor]]


@torch.no_grad()
def check_rows_alone(respond: Respond, size: int, device: torch.device) -> None:
    """Raise LayerError where an image's response depends on what is beside it in the pass, or on chance.

    `respond`: gives layers' responses (n, d) by name to images (n, 3, size, size) in [0, 1]. Two passes find
    batch statistics and dropout that is left on; what the network refuses is none of this check's.
    """
    ramp = torch.linspace(0, 1, 3 * size * size, device=device).view(1, 3, size, size)
    try:
        alone, pair = respond(ramp), respond(torch.cat([ramp, 1 - ramp]))
    except REFUSALS:
        return
    for layer, expected in alone.items():
        if not _differ(pair[layer][:1], expected, pair[layer]):
            continue
        if _differ(respond(ramp)[layer], expected, expected):
            raise LayerError(
                f"layer {layer!r} responds differently each time to the same image; allowed: a network"
                " without random numbers in its forward pass, as evaluation mode turns dropout off"
            )
        raise LayerError(
            f"layer {layer!r} responds differently to an image with another beside it; allowed: a network"
            " that answers each image alone, as batch norm with running statistics does in evaluation mode"
        )


def _differ(found: Tensor, expected: Tensor, scale: Tensor) -> bool:
    """By more than rounding explains, beside the responses that there are; never where one is not finite."""
    return bool(torch.dist(found, expected) > _TOLERANCE * scale.norm(dim=1).max())
