"""How images move. Every rule treats each image alone, so that images can leave the batch and join it.

Steps are counted per image: one that joins late begins its own schedule.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from workers.iri.parametrizations import Parametrization
from workers.iri.recipe import Recipe

# A second moment of 0.99 forgets the steep start sooner than the usual 0.999 and ended lower in every trial.
_ADAM_BETAS, _ADAM_EPSILON = (0.9, 0.99), 1e-8
_NORM_EPSILON = 1e-10


class StepRule(Protocol):
    """An update of a parametrisation in place."""

    def step(self, parametrization: Parametrization, gradient: Tensor, steps: Tensor) -> None:
        """Move the parameters against `gradient` (same shape); `steps` (n,): steps that each has taken."""

    def keep(self, rows: Tensor) -> None:
        """Forget the state of all images but those at the indices `rows`."""

    def join(self, count: int) -> None:
        """Add the state of images that have not moved yet."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class NormalizedGradient:
    """x <- x - rate * grad / (||grad||_2 + 1e-10), the norm taken per image (Nanda et al., AAAI 2023)."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def step(self, parametrization: Parametrization, gradient: Tensor, steps: Tensor) -> None:
        norms = gradient.flatten(1).norm(dim=1)
        sizes = learning_rates(self._recipe, steps) / (norms + _NORM_EPSILON)
        parametrization.parameters.addcmul_(gradient, _per_row(sizes, gradient), value=-1)

    def keep(self, rows: Tensor) -> None:
        """Nothing is remembered between steps."""

    def join(self, count: int) -> None:
        """Nothing is remembered between steps."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing is remembered between steps."""


class Adam:
    """Adam (Kingma & Ba 2015); the state of every number is its own, so no image feels another."""

    def __init__(self, recipe: Recipe, parameters: Tensor) -> None:
        self._recipe = recipe
        self._mean, self._square = torch.zeros_like(parameters), torch.zeros_like(parameters)

    def step(self, parametrization: Parametrization, gradient: Tensor, steps: Tensor) -> None:
        first, second = _ADAM_BETAS
        self._mean.lerp_(gradient, 1 - first)
        self._square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        taken = (steps + 1).double()
        scales = (1 - second**taken).sqrt()
        sizes = learning_rates(self._recipe, steps) * scales / (1 - first**taken)
        below = self._square.sqrt().add_(_per_row(_ADAM_EPSILON * scales, gradient))
        parametrization.parameters.addcdiv_(self._mean * _per_row(sizes, gradient), below, value=-1)

    def keep(self, rows: Tensor) -> None:
        self._mean, self._square = self._mean[rows], self._square[rows]

    def join(self, count: int) -> None:
        new = self._mean.new_zeros((count, *self._mean.shape[1:]))
        self._mean, self._square = torch.cat([self._mean, new]), torch.cat([self._square, new])

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self._mean, "square": self._square}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        device = self._mean.device
        self._mean, self._square = state["mean"].to(device), state["square"].to(device)


def make_rule(recipe: Recipe, parametrization: Parametrization) -> StepRule:
    """The update rule of a recipe, its state shaped for a parametrisation."""
    if recipe.optimizer.name == "adam":
        return Adam(recipe, parametrization.parameters)
    return NormalizedGradient(recipe)


def learning_rates(recipe: Recipe, steps: Tensor) -> Tensor:
    """Each image's learning rate: constant, or rate * (1 + cos(pi * step / steps)) / 2, steps counted from 0.

    `steps`: whole numbers (n,). Returns float64 (n,).
    """
    rate = recipe.optimizer.learning_rate
    if recipe.optimizer.schedule == "constant":
        return torch.full_like(steps, rate, dtype=torch.float64)
    return rate * (1 + torch.cos(math.pi * steps.double() / recipe.steps)) / 2


def _per_row(values: Tensor, like: Tensor) -> Tensor:
    """One number per image, shaped to be multiplied with `like` and of its kind of number."""
    return values.to(like.dtype).view(-1, *(1,) * (like.ndim - 1))
