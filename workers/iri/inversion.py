"""The search for IRIs: gradient descent on pixels until a layer responds to the image as to the target."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.iri.extractor import LayerError, respond
from workers.iri.folding import prepare
from workers.iri.networks import BuiltNetwork
from workers.iri.objectives import objective, relative_error
from workers.iri.optimizers import learning_rate, make_rule
from workers.iri.recipe import Recipe
from workers.iri.start_images import make_start

REPORT_SECONDS = 1.0
TRACE_POINTS = 200
# Every so many steps finished images are looked for. By steps and not by time, so that a run can be repeated.
FINISH_EVERY = 10


class InversionError(ValueError):
    """Targets or seeds that can't be used; the message names the value given and what is allowed."""


class InversionStopped(Exception):
    """`should_stop` said yes."""


@dataclass(frozen=True)
class Progress:
    """How far a search is: steps done of at most `steps`, the least relative error of each image so far."""

    step: int
    steps: int
    errors: tuple[float, ...]
    seconds_per_step: float


@dataclass(frozen=True)
class Inversion:
    """What a search found, in the order of the targets.

    `images`, `start_images`: float32 (n, 3, h, w) in [0, 1] on the CPU.
    `relative_errors`: of `images` before rounding to 8 bits (see quality.measure for what people see).
    `loss_traces`: per image (step, relative error of that step's iterate), at most 200 points with the last.
    `steps_run`: gradient steps taken by each image. `seconds`: wall time of the search.
    """

    images: Tensor
    start_images: Tensor
    relative_errors: tuple[float, ...]
    loss_traces: tuple[tuple[tuple[int, float], ...], ...]
    steps_run: tuple[int, ...]
    seconds: float


def invert(
    network: BuiltNetwork,
    layer: str,
    targets: Tensor,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    device: str | torch.device = "cpu",
) -> Inversion:
    """Images that a layer represents as it represents the targets (Nanda et al., AAAI 2023, "IRIs").

    From a start image drawn from its seed, each image descends on
    L(x) = ||g(norm(x)) - g(norm(x_t))||_2 / ||g(norm(x_t))||_2, g being the layer's flattened response.
    Images don't influence one another; the iterate of least error is kept (or the last, as the recipe says).

    `layer`: the name of any module that runs in a forward pass.
    `targets`: (n, 3, s, s) in [0, 1], s being the recipe's image_size.
    `seeds`: one whole number per target, from 0 to 2**63 - 1.
    `on_progress` and `should_stop` are called about once a second.
    On the CPU the same call with the same number of threads gives the same images, bit for bit.

    Raises InversionError, LayerNotFound or LayerError for what can't be used, InversionStopped when told to
    stop.

    >>> network = build(NetworkSpec("package", "efficientnet_lite0", pretrained=True))
    >>> found = invert(network, "_avg_pooling", targets, preset("reg_free"), seeds=range(len(targets)))
    >>> png = to_png(found.images[0])
    """
    _check(targets, recipe, seeds)
    began = time.monotonic()
    starts = torch.stack([make_start(recipe.start, recipe.image_size, seed) for seed in seeds])
    search = _Search(network, layer, targets, starts, recipe, torch.device(device))
    reporter = _Reporter(search, on_progress, should_stop)
    for step in range(recipe.steps):
        search.step(step)
        reporter.report(step + 1)
        if search.is_finished:
            break
    search.look_at_last_iterate()
    return search.result(time.monotonic() - began)


def _check(targets: Tensor, recipe: Recipe, seeds: Sequence[int]) -> None:
    size = recipe.image_size
    if targets.ndim != 4 or targets.shape[1:] != (3, size, size) or not targets.is_floating_point():
        raise InversionError(
            f"targets are {targets.dtype} of shape {tuple(targets.shape)};"
            f" allowed: floating-point numbers of shape (n, 3, {size}, {size})"
        )
    if len(targets) == 0 or len(seeds) != len(targets):
        raise InversionError(f"{len(targets)} targets and {len(seeds)} seeds; allowed: one seed per target")
    for seed in seeds:
        if not 0 <= seed < 2**63:
            raise InversionError(f"a seed is {seed}; allowed: whole numbers from 0 to 2**63 - 1")
    if not (targets.min() >= 0 and targets.max() <= 1):
        raise InversionError(
            f"targets range from {targets.min():g} to {targets.max():g}; allowed: numbers from 0 to 1"
        )


class _Search:
    """The images still searched for (`rows` of the targets), and the best of each so far."""

    def __init__(
        self,
        network: BuiltNetwork,
        layer: str,
        targets: Tensor,
        starts: Tensor,
        recipe: Recipe,
        device: torch.device,
    ) -> None:
        self._network, self._layer, self._recipe = network, layer, recipe
        self._module = prepare(network.module, layer, network.normalize(targets[:1].float()), device)
        wanted = self._on(device, targets.float())
        with torch.no_grad():
            self._wanted = respond(self._module, layer, network.normalize(wanted))
        self._starts = starts
        self._images = self._on(device, starts).clone()
        self._best = self._images.clone()
        self._rule = make_rule(recipe.optimizer, self._images)
        self._rows = torch.arange(len(targets), device=device)
        self._trace = torch.full((recipe.steps + 1, len(targets)), torch.nan, device=device)
        self._least = torch.full((len(targets),), torch.inf, device=device)
        self._steps_run = torch.zeros(len(targets), dtype=torch.long, device=device)

    @staticmethod
    def _on(device: torch.device, images: Tensor) -> Tensor:
        return images.to(device, memory_format=torch.channels_last)

    @property
    def steps(self) -> int:
        return self._recipe.steps

    @property
    def is_finished(self) -> bool:
        return len(self._rows) == 0

    def least_errors(self) -> tuple[float, ...]:
        return tuple(self._least.tolist())

    def step(self, step: int) -> None:
        """Look at the current iterates, then move them."""
        images = self._images.requires_grad_()
        error = self._error(images)
        if not error.requires_grad:
            raise LayerError(f"layer {self._layer!r} does not depend on the image; allowed: one that does")
        (gradient,) = torch.autograd.grad(objective(self._recipe, error).sum(), images)
        self._images = images.detach()
        self._note(step, error.detach())
        if step % FINISH_EVERY == 0:
            gradient = self._drop_finished(gradient)
        self._rule.step(self._images, gradient, learning_rate(self._recipe, step))
        self._images.clamp_(0, 1)
        self._steps_run[self._rows] = step + 1

    def look_at_last_iterate(self) -> None:
        if self.is_finished:
            return
        with torch.no_grad():
            self._note(int(self._steps_run[self._rows[0]]), self._error(self._images))

    def _error(self, images: Tensor) -> Tensor:
        response = respond(self._module, self._layer, self._network.normalize(images))
        return relative_error(response, self._wanted)

    def _note(self, step: int, error: Tensor) -> None:
        """Record errors and keep the best iterates, without waiting for a number from the device."""
        self._trace[step, self._rows] = error
        least = self._least[self._rows]
        is_better = error < least if self._recipe.keep == "best" else torch.ones_like(error, dtype=torch.bool)
        self._least[self._rows] = torch.where(is_better, error, least)
        self._best[self._rows] = torch.where(
            is_better.view(-1, 1, 1, 1), self._images, self._best[self._rows]
        )

    def _drop_finished(self, gradient: Tensor) -> Tensor:
        limit = self._recipe.finish_below
        if limit is None:
            return gradient
        going = (~(self._least[self._rows] <= limit)).nonzero().flatten()
        if len(going) < len(self._rows):
            self._rows, self._images, self._wanted = (
                one[going] for one in (self._rows, self._images, self._wanted)
            )
            self._rule.keep(going)
            gradient = gradient[going]
        return gradient

    def result(self, seconds: float) -> Inversion:
        steps_run: list[int] = self._steps_run.tolist()
        return Inversion(
            images=self._best.cpu().contiguous(),
            start_images=self._starts,
            relative_errors=self.least_errors(),
            loss_traces=tuple(map(_thinned, self._trace.T.cpu(), steps_run)),
            steps_run=tuple(steps_run),
            seconds=seconds,
        )


def _thinned(errors: Tensor, last: int) -> tuple[tuple[int, float], ...]:
    """One image's errors at steps 0 to `last` as at most TRACE_POINTS points, the last one included."""
    stride = -(-(last + 1) // (TRACE_POINTS - 1))
    steps = sorted({*range(0, last + 1, stride), last})
    return tuple((step, float(errors[step])) for step in steps)


class _Reporter:
    """Reports about once a second, since reading errors back makes a device wait."""

    def __init__(
        self,
        search: _Search,
        on_progress: Callable[[Progress], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self._search, self._on_progress, self._should_stop = search, on_progress, should_stop
        self._began = self._reported = time.monotonic()

    def report(self, step: int) -> None:
        """Tell of `step` steps done, if it is time. Raises InversionStopped where asked to stop."""
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        if self._should_stop is not None and self._should_stop():
            raise InversionStopped(f"stopped after {step} steps")
        if self._on_progress is not None:
            errors, seconds = self._search.least_errors(), (now - self._began) / step
            self._on_progress(Progress(step, self._search.steps, errors, seconds))
