"""The search for IRIs: gradient descent until a layer responds to the image as to the target."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count as count_from
from typing import Any

import torch
from torch import Tensor

from workers.iri.arguments import (
    check_function,
    check_layer,
    check_network,
    checked_whole,
    described,
    kind_of,
)
from workers.iri.batch_size import default_batch_size
from workers.iri.devices import checked_device
from workers.iri.lane import Found
from workers.iri.memory import give_back_freed_memory
from workers.iri.networks import LARGEST_SEED, BuiltNetwork
from workers.iri.recipe import Recipe, RecipeError
from workers.iri.search import Search, SearchError, Work
from workers.iri.start_images import Pool

__all__ = [
    "Found",
    "Inversion",
    "InversionError",
    "InversionStopped",
    "Progress",
    "StateRefused",
    "invert",
    "invert_each",
]

REPORT_SECONDS = 1.0
CHECKPOINT_SECONDS = 30.0
BATCH_SIZE = 8


class InversionError(ValueError):
    """Targets or seeds that can't be used; the message names the value given and what is allowed."""


class StateRefused(InversionError):
    """A state of another network, layer, version or works, or a damaged one; the search can begin anew."""


class InversionStopped(Exception):
    """`should_stop` said yes. `found`: the images that were finished before."""

    def __init__(self, message: str, found: Sequence[Found] = ()) -> None:
        super().__init__(message)
        self.found = tuple(found)


@dataclass(frozen=True)
class Progress:
    """How far a search is: steps done of at most `steps`, as far as is known.

    `errors`: the least relative error so far of each image, finished ones first.
    """

    step: int
    steps: int
    errors: tuple[float, ...]
    seconds_per_step: float
    finished: int = 0


@dataclass(frozen=True)
class Inversion:
    """What a search found, in the order of the targets.

    `images`, `start_images`: float32 (n, 3, h, w) in [0, 1] on the CPU.
    `relative_errors`: of `images` before rounding to 8 bits (see quality.measure for what people see).
    `loss_traces`: per image (step, relative error of that step's iterate), at most 200 points with the last.
    `steps_run`: gradient steps taken by each image. `seconds`: wall time of the search.
    `failures`: per image why it could not be searched for to the end, empty where it was.
    """

    images: Tensor
    start_images: Tensor
    relative_errors: tuple[float, ...]
    loss_traces: tuple[tuple[tuple[int, float], ...], ...]
    steps_run: tuple[int, ...]
    seconds: float
    failures: tuple[str, ...] = ()


@torch.inference_mode(False)
@torch.enable_grad()
def invert(
    network: BuiltNetwork,
    layer: str,
    targets: Tensor,
    recipe: Recipe | Sequence[Recipe],
    seeds: Sequence[int],
    *,
    batch_size: int | None = None,
    on_result: Callable[[Found], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    pool: Pool | None = None,
    device: str | torch.device = "cpu",
    precision: str = "float32",
    compiler: str = "none",
) -> Inversion:
    """Images that a layer represents as it represents the targets (Nanda et al., AAAI 2023, "IRIs").

    From a start image drawn from its seed, each image descends on the recipe's objective, for instance
    L(x) = ||g(norm(x)) - g(norm(x_t))||_2 / ||g(norm(x_t))||_2, g being the layer's flattened response.
    Images don't influence one another; the iterate of least error is kept (or the last, as the recipe says).

    `layer`: a module, a graph node, or a transformer block's tokens (see layers.list_layers).
    `targets`: (n, 3, s, s) in [0, 1], s being the recipe's image_size.
    `recipe`: one for all, or one per target, of one image_size.
    `seeds`: one whole number per target, from 0 to 2**63 - 1.
    `batch_size`: images searched for at a time; where None, 32 at most on the CPU, and on a GPU what its
    memory holds. An image that is finished makes room for one that waits.
    `on_result` is called with each image as soon as it is finished, `on_progress` about once a second,
    `should_stop` before every step.
    `pool`: natural images to start from, needed by recipes whose start is one.
    `precision`: of the gradients: float32, tf32 (NVIDIA GPUs) or bf16; what is finished is judged in float32.
    `compiler`: of the passes that give gradients, by torch.compile: none, inductor (GPUs, or a CPU with a C++
    compiler) or aot_eager (see compiling). Worth its minute at the start of long searches.
    On the CPU the same call with the same number of threads gives the same images, bit for bit; on a GPU, but
    for transformers in float32 and TF32, as well.

    An image that can't be searched for to the end (a dead layer, a response that is not finite) fails with a
    reason in `failures` and stops no other.
    Raises InversionError, SearchError (a batch_size that can't be), DeviceError, PrecisionError,
    CompileError, LayerNotFound, LayerError (also of a network that mixes the images of a pass), SizeRefused,
    StartError (a start image that can't be made, as of a natural one without `pool`) or PerceptualError
    (LPIPS weights that aren't there) for what can't be used; InversionStopped, with what was finished, when
    told to stop.

    >>> network = build(NetworkSpec("package", "efficientnet_lite0", pretrained=True))
    >>> found = invert(network, "_avg_pooling", targets, preset("reg_free"), seeds=range(len(targets)))
    >>> png = to_png(found.images[0])
    """
    check_layer(layer)
    _check_calls({}, {"on_result": on_result, "on_progress": on_progress, "should_stop": should_stop})
    works = _works(network, targets, recipe, seeds)
    if batch_size is None:
        size = works[0].recipe.image_size
        batch_size = default_batch_size(network, layer, size, checked_device(device), len(works))
    began = time.monotonic()
    found: list[Found] = []

    def keep(one: Found) -> None:
        found.append(one)
        if on_result is not None:
            on_result(one)

    try:
        invert_each(
            network,
            layer,
            works,
            on_result=keep,
            batch_size=batch_size,
            count=len(works),
            on_progress=on_progress,
            should_stop=should_stop,
            pool=pool,
            device=device,
            precision=precision,
            compiler=compiler,
        )
    except InversionStopped as stopped:
        raise InversionStopped(str(stopped), found) from None
    found.sort(key=lambda one: one.place)
    return Inversion(
        images=torch.stack([one.image for one in found]),
        start_images=torch.stack([one.start_image for one in found]),
        relative_errors=tuple(one.relative_error for one in found),
        loss_traces=tuple(one.loss_trace for one in found),
        steps_run=tuple(one.steps_run for one in found),
        seconds=time.monotonic() - began,
        failures=tuple(one.failure for one in found),
    )


@torch.inference_mode(False)
@torch.enable_grad()
def invert_each(
    network: BuiltNetwork,
    layer: str,
    works: Iterable[Work],
    *,
    on_result: Callable[[Found], None],
    batch_size: int = BATCH_SIZE,
    count: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_checkpoint: Callable[[dict[str, Any]], None] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    resume_from: dict[str, Any] | None = None,
    should_stop: Callable[[], bool] | None = None,
    pool: Pool | None = None,
    device: str | torch.device = "cpu",
    precision: str = "float32",
    compiler: str = "none",
) -> None:
    """As `invert`, for any number of targets with the memory of one batch.

    `works`: drawn one by one as images leave the batch, so that a generator may read them from disk.
    `on_result` is called with each image as soon as it is finished, in the order in which they finish; what
    it raises ends the search. `count`: how many works there are to find, where that is known, for
    `on_progress`.
    `on_checkpoint` is called with the search's state (Search.state_dict, a copy on the CPU) every
    `checkpoint_seconds`, after all that was found before it was handed to `on_result`, and once more when
    told to stop. `resume_from`: such a state, from which the same works go on to the same images, bit for
    bit on the CPU.

    Raises as `invert` does, and StateRefused for a state that can't be gone on from, as of other works.

    >>> works = (Work(from_png(path.read_bytes()), seed, recipe) for seed, path in enumerate(paths))
    >>> invert_each(network, "layer2", works, on_result=store, batch_size=8)
    """
    check_network(network, InversionError)
    check_layer(layer)
    optional = {"on_progress": on_progress, "on_checkpoint": on_checkpoint, "should_stop": should_stop}
    _check_calls({"on_result": on_result}, optional)
    if count is not None:
        checked_whole("count", count, 0, None, InversionError)
    _check_seconds(checkpoint_seconds)
    if not isinstance(works, Iterable):
        raise InversionError(f"works is {described(works)}; allowed: any number of Work")
    search = Search(
        network,
        layer,
        map(_checked, count_from(), works),
        batch_size=batch_size,
        pool=pool,
        device=device,
        precision=precision,
        compiler=compiler,
    )
    if resume_from is not None:
        _resume(search, resume_from)
    reporter = _Reporter(search, count, batch_size, on_progress)
    saved = time.monotonic()
    try:
        while not search.is_finished:
            if should_stop is not None and should_stop():
                if on_checkpoint is not None and search.steps > reporter.first_step:
                    on_checkpoint(search.state_dict())
                raise InversionStopped(f"stopped after {search.steps} steps")
            for one in search.step():
                on_result(one)
                reporter.finish(one)
            if search.is_finished:
                return
            reporter.report()
            if on_checkpoint is not None and time.monotonic() - saved >= checkpoint_seconds:
                on_checkpoint(search.state_dict())
                saved = time.monotonic()
    finally:
        give_back_freed_memory()


def _check_calls(needed: dict[str, Any], optional: dict[str, Any]) -> None:
    given = {name: call for name, call in optional.items() if call is not None}
    for name, call in {**needed, **given}.items():
        check_function(name, call, InversionError)


def _check_seconds(seconds: Any) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise InversionError(f"checkpoint_seconds is {described(seconds)}; allowed: a number from 0")


def _resume(search: Search, state: dict[str, Any]) -> None:
    if not isinstance(state, dict):
        raise StateRefused(f"resume_from is {described(state)}; allowed: a state of on_checkpoint")
    try:
        search.load_state_dict(state)
    except (SearchError, RecipeError, LookupError, TypeError, AttributeError) as error:
        raise StateRefused(f"this search can't go on from that state: {error}") from error


def _works(
    network: BuiltNetwork, targets: Tensor, recipe: Recipe | Sequence[Recipe], seeds: Sequence[int]
) -> list[Work]:
    """All at once what `_checked` checks one by one, before anything is computed."""
    check_network(network, InversionError)
    if not isinstance(targets, Tensor):
        raise InversionError(
            f"targets are a {kind_of(targets)}; allowed: a torch.Tensor of floating-point numbers of shape"
            " (n, 3, h, w), as torch.from_numpy(array) gives"
        )
    if targets.ndim != 4 or targets.shape[1] != 3 or not targets.is_floating_point():
        raise InversionError(
            f"targets are {targets.dtype} of shape {tuple(targets.shape)};"
            " allowed: floating-point numbers of shape (n, 3, h, w)"
        )
    seeds = _many("seeds", seeds, "one whole number per target")
    recipes = [recipe] * len(targets) if isinstance(recipe, Recipe) else _many("recipe", recipe, _RECIPES)
    if len(targets) == 0:
        raise InversionError("there are no targets; allowed: one or more")
    if len(seeds) != len(targets):
        raise InversionError(f"{len(targets)} targets and {len(seeds)} seeds; allowed: one seed per target")
    if len(recipes) != len(targets):
        raise InversionError(
            f"{len(targets)} targets and {len(recipes)} recipes; allowed: one for all, or one per target"
        )
    return [_checked(*one) for one in enumerate(map(Work, targets, seeds, recipes))]


_RECIPES = "a Recipe, as preset('reg_free') gives, or one per target"


def _many(name: str, values: Any, allowed: str) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InversionError(f"{name} is {values!r}; allowed: {allowed}")
    return list(values)


def _checked(place: int, work: Work) -> Work:
    """The work, its seed a plain whole number and its target float32."""
    if not isinstance(work, Work):
        raise InversionError(f"work {place} is {described(work)}; allowed: Work(target, seed, recipe)")
    if not isinstance(work.recipe, Recipe):
        raise InversionError(f"the recipe of target {place} is {work.recipe!r}; allowed: {_RECIPES}")
    _check_target(place, work.target, work.recipe.image_size)
    return replace(work, seed=_seed(place, work.seed), target=work.target.detach().float())


def _check_target(place: int, target: Tensor, size: int) -> None:
    if not isinstance(target, Tensor):
        raise InversionError(
            f"target {place} is a {kind_of(target)}; allowed: a torch.Tensor (3, {size}, {size})"
        )
    if target.shape != (3, size, size) or not target.is_floating_point():
        raise InversionError(
            f"target {place} is {target.dtype} of shape {tuple(target.shape)};"
            f" allowed: floating-point numbers of shape (3, {size}, {size}), its recipe's image_size"
        )
    # One that is not finite fails by itself, with its reason, when its turn comes (Lane.dead).
    if target.isfinite().all() and not (target.min() >= 0 and target.max() <= 1):
        raise InversionError(
            f"target {place} ranges from {target.min():g} to {target.max():g}; allowed: numbers from 0 to 1"
        )


def _seed(place: int, seed: Any) -> int:
    """Whole numbers of other libraries (numpy's, a tensor of one) become Python's, which can be stored."""
    return checked_whole(f"the seed of target {place}", seed, 0, LARGEST_SEED, InversionError)


class _Reporter:
    """Reports about once a second, since reading errors back makes a device wait."""

    def __init__(
        self,
        search: Search,
        count: int | None,
        batch_size: int,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._search, self._count, self._batch_size = search, count, batch_size
        self._on_progress = on_progress
        self._errors: list[float] = []
        self._most_steps = 0
        self._began = self._reported = time.monotonic()
        self.first_step = search.steps

    def finish(self, found: Found) -> None:
        self._errors.append(found.relative_error)

    def report(self) -> None:
        """Tell how far the search is, if it is time."""
        now = time.monotonic()
        if self._on_progress is None or now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        step = self._search.steps
        errors = (*self._errors, *self._search.least_errors())
        seconds = (now - self._began) / max(step - self.first_step, 1)
        self._on_progress(Progress(step, step + self._steps_left(), errors, seconds, len(self._errors)))

    def _steps_left(self) -> int:
        """At most, as far as is known: of those in the batch, and of those waiting in their turns."""
        left = self._search.steps_left()
        if not left:
            return 0
        waiting = max(0, (self._count or 0) - len(self._errors) - len(left))
        self._most_steps = max(self._most_steps, *left)
        return max(left) + -(-waiting // self._batch_size) * self._most_steps
