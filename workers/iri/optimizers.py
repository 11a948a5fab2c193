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
_CURVATURE = 1e-10  # below this a pair of changes says nothing about the curvature


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


class LBFGS:
    """L-BFGS (Nocedal & Wright, Numerical Optimization, algorithms 7.4 and 7.5) of each image for itself.

    Without line search, as torch.optim.LBFGS without one, whose steps these are: the first is
    rate * min(1, 1 / ||grad||_1) * grad long, the others are rate times the quasi-Newton direction; a pair of
    changes is remembered where its curvature is above 1e-10. Unlike there, an image whose direction does not
    descend forgets its pairs and begins anew instead of stopping, and what is remembered of a step is what
    the parameters really moved, clamping included.
    """

    def __init__(self, recipe: Recipe, parameters: Tensor) -> None:
        self._recipe = recipe
        count, size = len(parameters), parameters[:1].numel()
        history = recipe.optimizer.history or 1
        self._state = self._new(parameters, count, history, size)

    @staticmethod
    def _new(like: Tensor, count: int, history: int, size: int) -> dict[str, Tensor]:
        """`moves`, `turns`: changes of parameters and gradients, the newest last; `inverses`: one over their
        products, 0 for none; `scale`: of the direction; `place`, `slope`: parameters and gradient before."""
        return {
            "moves": like.new_zeros((count, history, size)),
            "turns": like.new_zeros((count, history, size)),
            "inverses": like.new_zeros((count, history)),
            "scale": like.new_ones(count),
            "place": like.new_zeros((count, size)),
            "slope": like.new_zeros((count, size)),
        }

    def step(self, parametrization: Parametrization, gradient: Tensor, steps: Tensor) -> None:
        parameters = parametrization.parameters
        place, slope = parameters.flatten(1).clone(), gradient.flatten(1)
        self._remember(place - self._state["place"], slope - self._state["slope"], steps > 0)
        direction = self._direction(slope)
        is_lost = (direction * slope).sum(dim=1) >= 0
        self._state["inverses"] = self._state["inverses"] * ~is_lost[:, None]
        self._state["scale"] = torch.where(is_lost, 1, self._state["scale"])
        direction = torch.where(is_lost[:, None], -slope, direction)
        rates = learning_rates(self._recipe, steps).to(slope.dtype)
        careful = slope.abs().sum(dim=1).clamp_min(_NORM_EPSILON).reciprocal().clamp_max(1)
        rates = torch.where(is_lost | (steps == 0), rates * careful, rates)
        parameters.add_((direction * rates[:, None]).view_as(parameters))
        self._state["place"], self._state["slope"] = place, slope.clone()

    def _remember(self, moves: Tensor, turns: Tensor, has_moved: Tensor) -> None:
        curvature = (moves * turns).sum(dim=1)
        is_new = has_moved & (curvature > _CURVATURE)
        inverse = torch.where(is_new, curvature, torch.ones_like(curvature)).reciprocal()
        for name, new in (("moves", moves), ("turns", turns), ("inverses", inverse)):
            old = self._state[name]
            shifted = torch.cat([old[:, 1:], new[:, None]], dim=1)
            self._state[name] = torch.where(is_new.view(-1, *(1,) * (old.ndim - 1)), shifted, old)
        ratio = curvature / turns.square().sum(dim=1)
        self._state["scale"] = torch.where(is_new, ratio, self._state["scale"])

    def _direction(self, slope: Tensor) -> Tensor:
        """-H grad by the two loops; pairs that aren't there have an inverse of 0 and change nothing."""
        moves, turns, inverses = (self._state[name] for name in ("moves", "turns", "inverses"))
        direction = -slope
        shares: list[Tensor] = []
        newest_first = range(moves.shape[1] - 1, -1, -1)
        for one in newest_first:
            shares.append(inverses[:, one] * (moves[:, one] * direction).sum(dim=1))
            direction = direction - shares[-1][:, None] * turns[:, one]
        direction = direction * self._state["scale"][:, None]
        for one, share in zip(reversed(newest_first), reversed(shares), strict=True):
            back = inverses[:, one] * (turns[:, one] * direction).sum(dim=1)
            direction = direction + (share - back)[:, None] * moves[:, one]
        return direction

    def keep(self, rows: Tensor) -> None:
        self._state = {name: one[rows] for name, one in self._state.items()}

    def join(self, count: int) -> None:
        _, history, size = self._state["moves"].shape
        new = self._new(self._state["moves"], count, history, size)
        self._state = {name: torch.cat([one, new[name]]) for name, one in self._state.items()}

    def state_dict(self) -> dict[str, Any]:
        return dict(self._state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        device = self._state["moves"].device
        self._state = {name: one.to(device) for name, one in state.items()}


def make_rule(recipe: Recipe, parametrization: Parametrization) -> StepRule:
    """The update rule of a recipe, its state shaped for a parametrisation."""
    if recipe.optimizer.name == "adam":
        return Adam(recipe, parametrization.parameters)
    if recipe.optimizer.name == "lbfgs":
        return LBFGS(recipe, parametrization.parameters)
    return NormalizedGradient(recipe)


def learning_rates(recipe: Recipe, steps: Tensor) -> Tensor:
    """Each image's learning rate, by the recipe's schedule; steps are counted from 0.

    constant: rate. cosine: rate * (1 + cos(pi * step / steps)) / 2.
    halving: rate / 2^block, the block being floor(blocks * step / steps) (Feather et al. 2023).
    `steps`: whole numbers (n,). Returns float64 (n,).
    """
    optimizer = recipe.optimizer
    rate = float(optimizer.learning_rate or 0)  # a recipe always has one
    if optimizer.schedule == "cosine":
        return rate * (1 + torch.cos(math.pi * steps.double() / recipe.steps)) / 2
    if optimizer.schedule == "halving":
        blocks = steps.mul(optimizer.blocks or 1).div(recipe.steps, rounding_mode="floor")
        return rate * 0.5 ** blocks.double()
    return torch.full_like(steps, rate, dtype=torch.float64)


def _per_row(values: Tensor, like: Tensor) -> Tensor:
    """One number per image, shaped to be multiplied with `like` and of its kind of number."""
    return values.to(like.dtype).view(-1, *(1,) * (like.ndim - 1))
