"""What an IRI minimises. One value per image; images never influence one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from workers.iri.recipe import Recipe


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
    `images`, `targets`, `starts`: (n, 3, h, w) in [0, 1], neither normalised nor transformed.
    """

    layer: str
    responses: Mapping[str, Tensor]
    wanted: Mapping[str, Tensor]
    wanted_norms: Mapping[str, Tensor]
    images: Tensor
    targets: Tensor
    starts: Tensor
    _errors: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def relative_error(self, layer: str | None = None) -> Tensor:
        """Relative L2 error (n,) at a layer, the matched one where None; computed once, differentiable."""
        name = layer or self.layer
        if name not in self._errors:
            distances = (self.responses[name] - self.wanted[name]).norm(dim=1)
            self._errors[name] = distances / self.wanted_norms[name]
        return self._errors[name]


def loss(recipe: Recipe, context: Context) -> Tensor:
    """The recipe's weighted sum for each image, (n,)."""
    error = context.relative_error()
    return sum((term.weight * error for term in recipe.objective), start=error.new_zeros(()))
