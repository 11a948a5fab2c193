"""What an IRI minimises. One value per image; images never influence one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from workers.iri import regularizers
from workers.iri.perceptual import Perceptual, squared_distance
from workers.iri.recipe import Recipe, Term


def relative_error(response: Tensor, target_response: Tensor) -> Tensor:
    """||g(x) - g(x_t)||_2 / ||g(x_t)||_2 for each image: L_rep of Nanda et al. (AAAI 2023).

    `response`, `target_response`: (n, d). Returns (n,), 0 for a perfect match; infinite or NaN where
    the target's response is zero.

    >>> relative_error(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]]))
    tensor([1.2500])
    """
    return (response - target_response).norm(dim=1) / target_response.norm(dim=1)


@dataclass(frozen=True)
class Context:
    """What the terms of an objective look at, one row per image.

    `layer`: the matched one. `responses`, `wanted`: by layer, the network's to the (transformed) image and to
    the target, (n, d). `wanted_norms`: by layer, ||wanted||_2 of each row, since they never change.
    `images`: (n, 3, h, w) in [0, 1], neither normalised nor transformed.
    `trunks`: the LPIPS trunks that the recipe names. `anchors`: what `anchors` gave for these images.
    """

    layer: str
    responses: Mapping[str, Tensor]
    wanted: Mapping[str, Tensor]
    wanted_norms: Mapping[str, Tensor]
    images: Tensor
    trunks: Mapping[str, Perceptual] = field(default_factory=dict)
    anchors: Mapping[str, Tensor] = field(default_factory=dict)
    _errors: dict[str, Tensor] = field(default_factory=dict, repr=False)
    _embedded: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def relative_error(self, layer: str | None = None) -> Tensor:
        """Relative L2 error (n,) at a layer, the matched one where None; computed once, differentiable."""
        name = layer or self.layer
        if name not in self._errors:
            distances = (self.responses[name] - self.wanted[name]).norm(dim=1)
            self._errors[name] = distances / self.wanted_norms[name]
        return self._errors[name]

    def embedded(self, trunk: str) -> Tensor:
        """The images as a trunk's vectors (n, d); computed once, differentiable."""
        if trunk not in self._embedded:
            self._embedded[trunk] = self.trunks[trunk].embed(self.images)
        return self._embedded[trunk]


def anchors(
    recipe: Recipe,
    trunks: Mapping[str, Perceptual],
    targets: Tensor,
    starts: Tensor,
    start_error: Callable[[], Tensor],
) -> dict[str, Tensor]:
    """What the recipe's LPIPS terms compare an image with, which never changes: one row per image.

    `targets`, `starts`: (n, 3, h, w) in [0, 1]. `start_error`: gives the start images' relative errors (n,)
    at the matched layer; asked only where a term's scale is measured. That scale is each image's own,
    s = L_rep(x_0) / LPIPS(x_0, x_t): the paper's code takes the means over its batch, by which an image
    would depend on its neighbours.
    """
    rows: dict[str, Tensor] = {}
    with torch.no_grad():
        for term in recipe.objective:
            if term.trunk is None:
                continue
            anchored = targets if term.anchor == "target" else starts
            trunk = trunks[term.trunk]
            rows[_vectors(term)] = trunk.embed(anchored)
            if term.scale == "measured":
                apart = squared_distance(trunk.embed(starts), rows[_vectors(term)])
                rows[_scale(term)] = start_error() / apart
    return rows


def _vectors(term: Term) -> str:
    return f"{term.trunk} {term.anchor}"


def _scale(term: Term) -> str:
    return f"{term.trunk} scale"


def loss(recipe: Recipe, context: Context) -> Tensor:
    """The recipe's weighted sum for each image, (n,)."""
    return torch.stack([term.weight * _COSTS[term.kind](term, context) for term in recipe.objective]).sum(
        dim=0
    )


def _representation(term: Term, context: Context) -> Tensor:
    if term.distance == "relative_l2":
        return context.relative_error(term.layer)
    name = term.layer or context.layer
    response, wanted = context.responses[name], context.wanted[name]
    if term.distance == "cosine":
        return 1 - cosine_similarity(response, wanted, dim=1)
    return (response - wanted).abs().amax(dim=1) / wanted.abs().amax(dim=1)


def _perceptual(term: Term, context: Context) -> Tensor:
    distance = squared_distance(context.embedded(str(term.trunk)), context.anchors[_vectors(term)])
    return distance * context.anchors[_scale(term)] if term.scale else distance


_COSTS: Mapping[str, Callable[[Term, Context], Tensor]] = {
    "representation": _representation,
    "tv": lambda term, context: regularizers.total_variation(context.images, float(term.power or 2)),
    "blur": lambda term, context: regularizers.blur(context.images),
    "l1": lambda term, context: regularizers.l1(context.images, float(term.about or 0)),
    "lp": lambda term, context: regularizers.lp(
        context.images, float(term.power or 1), float(term.about or 0)
    ),
    "perceptual": _perceptual,
}
