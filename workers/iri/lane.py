"""The images of one recipe in a search's batch: where each is, how far it is, and the best of it so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workers.iri.images import quantize
from workers.iri.objectives import Context, anchors
from workers.iri.optimizers import make_rule
from workers.iri.parametrizations import parametrize
from workers.iri.passthrough import pass_gradient_through
from workers.iri.perceptual import shared_perceptual
from workers.iri.recipe import Recipe
from workers.iri.responder import Responder
from workers.iri.states import misfit
from workers.iri.transforms import transform

TRACE_POINTS = 200
# In a trace: no error was taken at this step. An error is never negative; it may be NaN.
_NOT_TAKEN = -1.0
# The largest relative error of an exact match, whose gradient is zero although nothing is wrong.
_MATCHED = 1e-6


@dataclass(frozen=True)
class Member:
    """An image about to join: its place in the work, RNG seed, target and start image (3, h, w) in [0, 1]."""

    place: int
    seed: int
    target: Tensor
    start: Tensor


@dataclass(frozen=True)
class Found:
    """What the search found for one image.

    `place`: its index in the work. `image`, `start_image`: float32 (3, h, w) in [0, 1] on the CPU.
    `relative_error`: of `image` before rounding to 8 bits. `steps_run`: gradient steps taken.
    `loss_trace`: (step, relative error of that step's iterate), at most 200 points with the last.
    `failure`: why the image could not be searched for to the end, empty where it was.
    """

    place: int
    image: Tensor
    start_image: Tensor
    relative_error: float
    loss_trace: tuple[tuple[int, float], ...]
    steps_run: int
    failure: str = ""


class Lane:
    """Images that share a recipe. Rows are images; they leave by `keep` and come by `join`."""

    def __init__(
        self,
        recipe: Recipe,
        layer: str,
        responder: Responder,
        members: Sequence[Member],
        device: torch.device,
    ) -> None:
        self.recipe, self.layer, self.responder = recipe, layer, responder
        self._device = device
        self.places: list[int] = []
        self.seeds: list[int] = []
        self.steps: list[int] = []
        starts = self._stacked([member.start for member in members])
        self._parametrization = parametrize(recipe, starts)
        self._rule = make_rule(recipe, self._parametrization)
        none = starts[:0]
        self._targets, self._starts, self._best = none, none, none
        self._wanted: dict[str, Tensor] = {}
        self._norms: dict[str, Tensor] = {}
        self._trunks = {trunk: shared_perceptual(trunk, device) for trunk in recipe.trunks}
        self._anchors: dict[str, Tensor] = {}
        self._least = torch.empty(0, device=device)
        self._error = torch.empty(0, device=device)
        self._trace = torch.empty(0, recipe.steps + 1, device=device)
        # The same as `steps`, where schedules need them: no number crosses to the device in a step.
        self._taken = torch.empty(0, dtype=torch.long, device=device)
        self._add(members, starts)

    def _stacked(self, images: Sequence[Tensor]) -> Tensor:
        stacked = torch.stack(list(images)).float()
        return stacked.to(self._device).contiguous(memory_format=self.responder.layout)

    def __len__(self) -> int:
        return len(self.places)

    def join(self, members: Sequence[Member]) -> None:
        """Let images join that have not moved yet."""
        starts = self._stacked([member.start for member in members])
        self._parametrization.join(starts)
        self._rule.join(len(members))
        self._add(members, starts)

    def _add(self, members: Sequence[Member], starts: Tensor) -> None:
        new = len(members)
        targets = self._stacked([member.target for member in members])
        self.places += [member.place for member in members]
        self.seeds += [member.seed for member in members]
        self.steps += [0] * new
        self._taken = torch.cat([self._taken, self._taken.new_zeros(new)])
        self._targets = torch.cat([self._targets, targets])
        self._starts = torch.cat([self._starts, starts])
        self._best = torch.cat([self._best, starts])
        self._least = torch.cat([self._least, self._least.new_full((new,), torch.inf)])
        self._error = torch.cat([self._error, self._error.new_full((new,), torch.inf)])
        self._trace = torch.cat([self._trace, self._trace.new_full((new, self._trace.shape[1]), _NOT_TAKEN)])
        self._want(targets)
        if self._trunks:
            self._anchor(targets, starts)

    def _want(self, targets: Tensor) -> None:
        """Note the responses to come to, target by target: they must not depend on what is beside them."""
        with torch.no_grad():
            responses = [self.responder(target[None]) for target in targets]
        for layer in responses[0]:
            wanted = [response[layer] for response in responses]
            norms = [one.norm(dim=1) for one in wanted]
            self._wanted[layer] = torch.cat([self._wanted.get(layer, wanted[0][:0]), *wanted])
            self._norms[layer] = torch.cat([self._norms.get(layer, norms[0][:0]), *norms])

    def _anchor(self, targets: Tensor, starts: Tensor) -> None:
        """Note what LPIPS terms compare with, image by image as in `_want`."""
        for row, (target, start) in enumerate(zip(targets, starts, strict=True), len(self) - len(targets)):

            def start_error(start: Tensor = start, row: int = row) -> Tensor:
                apart = self.responder(start[None])[self.layer] - self._wanted[self.layer][row]
                return apart.norm(dim=1) / self._norms[self.layer][row]

            new = anchors(self.recipe, self._trunks, target[None], start[None], start_error)
            self._anchors = {
                name: torch.cat([self._anchors.get(name, one[:0]), one]) for name, one in new.items()
            }

    def dead(self) -> dict[int, str]:
        """Rows whose target the layers don't answer with something to come to, and why."""
        reasons = {
            row: f"the {name} of LPIPS is not finite: start image and target look the same to it"
            for name, values in self._anchors.items()
            if values.ndim == 1
            for row, value in enumerate(values.tolist())
            if not value < float("inf")
        }
        for layer, norms in self._norms.items():
            for row, norm in enumerate(norms.tolist()):
                if norm == 0:
                    reasons[row] = f"layer {layer!r} is dead: its response to the target has norm 0"
                elif not norm < float("inf"):
                    reasons[row] = f"the response of layer {layer!r} to the target is not finite"
        return reasons

    def open(self) -> Tensor:
        """The present images (n, 3, h, w), cut off from the parameters that made them."""
        self._parametrization.parameters.requires_grad_()
        self._images = self._parametrization.images()
        return self._images.detach().contiguous(memory_format=self.responder.layout)

    def view(self, rows: slice, images: Tensor) -> Tensor:
        """What the network sees of these rows' images at their present steps: a random view, or all."""
        return transform(self.recipe.transforms, images, self.seeds[rows], self.steps[rows])

    def by_parameters(self, gradient: Tensor) -> Tensor:
        """From the gradient by the images that `open` gave to that by the parameters."""
        parameters, images = self._parametrization.parameters, self._images
        if images is parameters:
            return gradient
        (by_parameters,) = torch.autograd.grad(images, parameters, gradient)
        return by_parameters

    def context(self, rows: slice, images: Tensor, responses: dict[str, Tensor]) -> Context:
        return Context(
            layer=self.layer,
            responses=responses,
            wanted={layer: wanted[rows] for layer, wanted in self._wanted.items()},
            wanted_norms={layer: norms[rows] for layer, norms in self._norms.items()},
            images=images,
            trunks=self._trunks,
            anchors={name: values[rows] for name, values in self._anchors.items()},
        )

    def note(self, images: Tensor, error: Tensor) -> None:
        """Record the present images' errors (n,) and keep the best, without waiting for the device."""
        self._error = error
        self._trace.scatter_(1, self._taken[:, None], error[:, None])
        is_better = error < self._least if self.recipe.keep == "best" else error.isfinite()
        self._least = torch.where(is_better, error, self._least)
        self._best = torch.where(is_better.view(-1, 1, 1, 1), images, self._best)

    def move(self, gradient: Tensor) -> None:
        """One step against the gradient by the parameters."""
        self._parametrization.parameters.requires_grad_(False)
        self._rule.step(self._parametrization, gradient, self._taken)
        self._parametrization.project()
        self.steps = [step + 1 for step in self.steps]
        self._taken += 1

    def exhausted(self) -> list[int]:
        """Rows that have taken all their steps."""
        return [row for row, step in enumerate(self.steps) if step >= self.recipe.steps]

    def failures(self, gradient: Tensor | None) -> dict[int, str]:
        """Rows that can't go on, and why; reads numbers back from the device."""
        is_lost = ~self._error.isfinite()
        is_still = torch.zeros_like(is_lost)
        if gradient is not None:
            # At a match as well, where a layer may only seem to match that doesn't see the image at all.
            is_still = (gradient.flatten(1).norm(dim=1) == 0) | (self._error <= _MATCHED)
        reasons: dict[int, str] = {}
        for row, (lost, still) in enumerate(torch.stack([is_lost, is_still], dim=1).tolist()):
            if lost:
                reasons[row] = (
                    f"the response of layer {self.layer!r} is not finite at step {self._lost_at(row)}"
                )
            elif still and (reason := self._stuck(row)):
                reasons[row] = reason
        return reasons

    def _stuck(self, row: int) -> str:
        """Why an image without a gradient, or at its target, can't go on; empty where it may."""
        step = self.steps[row]
        if self._is_blind(row):
            return (
                f"layer {self.layer!r} is dead: its gradient is zero at step {step}, so the image can't move"
            )
        # Under random views the next one may have a gradient.
        if self.recipe.transforms or self._error[row] <= _MATCHED:
            return ""
        return (
            f"the objective's gradient is zero at step {step}, although layer {self.layer!r} responds to the"
            " image"
        )

    @torch.enable_grad()
    def _is_blind(self, row: int) -> bool:
        """Whether no unit of the layer's response has a gradient by the image; a random sum shows it."""
        image = self._images[row : row + 1].detach().requires_grad_()
        response = self.responder(image)[self.layer]
        if self.recipe.relu_passthrough:
            pass_gradient_through(response)
        weights = torch.rand(response.shape, generator=torch.Generator().manual_seed(0)).to(response)
        (gradient,) = torch.autograd.grad(response, image, weights)
        return not bool(gradient.any())

    def _lost_at(self, row: int) -> int:
        return int((~self._trace[row].isfinite()).nonzero()[0])

    def matched(self, respond: Callable[[Tensor], Tensor]) -> list[int]:
        """Rows whose best image, rounded to 8 bits, is at or below `finish_below`; reads numbers back.

        `respond`: gives the matched layer's responses to images.
        """
        limit = self.recipe.finish_below
        if limit is None:
            return []
        rows = (self._least <= limit).nonzero().flatten()
        if len(rows) == 0:
            return []
        apart = respond(quantize(self._best[rows])) - self._wanted[self.layer][rows]
        errors = apart.norm(dim=1) / self._norms[self.layer][rows]
        return rows[errors <= limit].tolist()

    def found(self, row: int, failure: str = "") -> Found:
        """What there is of a row now."""
        return Found(
            place=self.places[row],
            image=self._best[row].cpu().contiguous(),
            start_image=self._starts[row].cpu().contiguous(),
            relative_error=float(self._least[row]),
            loss_trace=_thinned(self._trace[row].cpu()),
            steps_run=self.steps[row],
            failure=failure,
        )

    def least_errors(self) -> list[float]:
        return self._least.tolist()

    def keep(self, rows: Sequence[int]) -> None:
        """Let all images leave but those in `rows`."""
        self.places = [self.places[row] for row in rows]
        self.seeds = [self.seeds[row] for row in rows]
        self.steps = [self.steps[row] for row in rows]
        kept = torch.tensor(list(rows), dtype=torch.long, device=self._device)
        self._parametrization.parameters.requires_grad_(False)
        self._parametrization.keep(kept)
        self._rule.keep(kept)
        for name in ("_taken", "_targets", "_starts", "_best", "_least", "_error", "_trace"):
            setattr(self, name, getattr(self, name)[kept])
        self._wanted = {layer: wanted[kept] for layer, wanted in self._wanted.items()}
        self._norms = {layer: norms[kept] for layer, norms in self._norms.items()}
        self._anchors = {name: values[kept] for name, values in self._anchors.items()}

    def state_dict(self) -> dict[str, Any]:
        """All that `restored` needs; tensors and plain values only."""
        return {
            "recipe": self.recipe.to_json(),
            "places": self.places,
            "seeds": self.seeds,
            "steps": self.steps,
            "targets": self._targets,
            "starts": self._starts,
            "best": self._best,
            "least": self._least,
            "error": self._error,
            "trace": self._trace,
            "parametrization": self._parametrization.state_dict(),
            "rule": self._rule.state_dict(),
        }

    @classmethod
    def restored(cls, state: dict[str, Any], layer: str, responder: Responder, device: torch.device) -> Lane:
        """The lane that gave this state; the responses to its targets are computed again.

        The state's tensors become the lane's own. Raises LookupError for parts that lack or are misshapen.
        """
        recipe = Recipe.from_json(state["recipe"])
        images = torch.empty(len(state["places"]), 3, recipe.image_size, recipe.image_size)
        for name, expected in (("seeds", state["places"]), ("targets", images), ("starts", images)):
            _check(state[name], expected, name)
        columns = (state[name] for name in ("places", "seeds", "targets", "starts"))
        members = [Member(*one) for one in zip(*columns, strict=True)]
        lane = cls(recipe, layer, responder, members, device)
        for name, own in lane.state_dict().items():
            _check(state[name], own, name)
        lane.steps = list(state["steps"])
        lane._taken = torch.tensor(lane.steps, device=device)
        lane._best, lane._least, lane._error, lane._trace = (
            state[name].to(device) for name in ("best", "least", "error", "trace")
        )
        lane._parametrization.load_state_dict(state["parametrization"])
        lane._rule.load_state_dict(state["rule"])
        return lane


def _check(given: object, expected: object, name: str) -> None:
    if reason := misfit(given, expected, f"the state's {name}"):
        raise LookupError(reason)


def _thinned(errors: Tensor) -> tuple[tuple[int, float], ...]:
    """One image's errors by step as at most TRACE_POINTS points of those taken, the last one included."""
    taken: list[int] = (errors != _NOT_TAKEN).nonzero().flatten().tolist()
    stride = max(1, -(-len(taken) // (TRACE_POINTS - 1)))
    points = sorted({*taken[::stride], *taken[-1:]})
    return tuple((step, float(errors[step])) for step in points)
