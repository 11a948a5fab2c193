"""The search as a pool: finished images leave the batch, waiting ones join it.

>>> search = Search(network, "layer2", works, batch_size=8)
>>> while not search.is_finished:
...     for found in search.step():
...         store(found)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from workers.iri.arguments import checked_whole
from workers.iri.compiling import check_compiler
from workers.iri.devices import checked_device
from workers.iri.lane import Found, Lane, Member
from workers.iri.layer_errors import LayerError
from workers.iri.memory import in_passes, keep_freed_memory, unless_short
from workers.iri.networks import BuiltNetwork
from workers.iri.objectives import Context, loss
from workers.iri.pass_sizes import filled_up, room_for
from workers.iri.passthrough import pass_gradient_through
from workers.iri.precision import check_precision, computing, computing_back, layout
from workers.iri.recipe import Recipe
from workers.iri.responder import Responder
from workers.iri.row_checks import check_rows_alone
from workers.iri.start_images import Pool, checked_pool, make_start
from workers.iri.states import Fingerprint, independent

# Every so many steps finished and failed images are looked for. By steps and not by time, so that a search
# can be repeated, and not at every step, since reading numbers back makes a device wait.
FINISH_EVERY = 10
STATE_VERSION = 3


class SearchError(ValueError):
    """A search that can't be; the message names the value given and what is allowed."""


@dataclass(frozen=True)
class Work:
    """One image to search for: `target` float (3, s, s) in [0, 1], s being the recipe's image_size."""

    target: Tensor
    seed: int
    recipe: Recipe


@dataclass(frozen=True)
class _Segment:
    """Some rows of a lane, in one pass through the network."""

    lane: Lane
    rows: slice

    def __len__(self) -> int:
        return self.rows.stop - self.rows.start


_Respond = Callable[[Tensor], dict[str, Tensor]]
_Pass = Callable[[Sequence[_Segment], Sequence[Tensor]], list[tuple[Tensor, ...]]]


class Search:
    """Looks for the images of `works`, at most `batch_size` at a time, in their order.

    Works are drawn one by one as places come free, so that any number needs the memory of one batch. Recipes
    may differ from work to work. Where memory doesn't suffice, a step is taken in several passes of half
    as many images, and so on; `pass_size` is how many. On a GPU passes are filled up to one of a few sizes
    (see pass_sizes); on the CPU the process keeps freed memory from now on (see memory).
    `precision`: of the gradients (see precision); float32 judges what is finished.
    `compiler`: of the passes that give gradients (see compiling), but of recipes with `relu_passthrough`.

    Raises SearchError, DeviceError, PrecisionError, CompileError, LayerNotFound, LayerError, SizeRefused,
    StartError or PerceptualError for what can't be, here or from `step`.
    """

    def __init__(
        self,
        network: BuiltNetwork,
        layer: str,
        works: Iterable[Work],
        *,
        batch_size: int,
        pool: Pool | None = None,
        device: str | torch.device = "cpu",
        precision: str = "float32",
        compiler: str = "none",
    ) -> None:
        batch_size = checked_whole("batch_size", batch_size, 1, None, SearchError)
        self._network, self._layer, self._device = network, layer, checked_device(device)
        check_precision(precision, self._device)
        check_compiler(compiler)
        self._precision, self._compiler = precision, compiler
        if self._device.type == "cpu":
            keep_freed_memory()
        self._pool = checked_pool(pool)
        self._works: Iterator[Work] = iter(works)
        self._next: Work | None = next(self._works, None)
        self._drawn = 0
        self._fingerprint = Fingerprint()
        self._batch_size = self.pass_size = batch_size
        self._fills_up = self._device.type == "cuda"
        self._lanes: dict[Recipe, Lane] = {}
        self._responders: dict[tuple[int, tuple[str, ...]], Responder] = {}
        self.steps = 0

    @property
    def is_finished(self) -> bool:
        return self._next is None and not self._lanes

    @property
    def places(self) -> list[int]:
        """The places in the work of the images in the batch."""
        return [place for lane in self._lanes.values() for place in lane.places]

    def least_errors(self) -> list[float]:
        """The least relative error so far of each image in the batch, as `places` orders them."""
        return [error for lane in self._lanes.values() for error in lane.least_errors()]

    def steps_left(self) -> list[int]:
        """How many steps each image in the batch may still take, as `places` orders them."""
        return [lane.recipe.steps - step for lane in self._lanes.values() for step in lane.steps]

    def step(self) -> list[Found]:
        """Look at the present images, let the finished leave, and move the others one step."""
        with computing("float32", self._device):
            return self._step()

    def _step(self) -> list[Found]:
        found = self._fill()
        if not self._lanes:
            return found
        is_last = all(len(lane.exhausted()) == len(lane) for lane in self._lanes.values())
        is_check = self.steps % FINISH_EVERY == 0
        gradients = self._look(is_check=is_check, is_last=is_last)
        for recipe, lane in list(self._lanes.items()):
            gradient, gone = self._release(lane, gradients.get(recipe), is_check)
            found += gone
            if len(lane) == 0:
                del self._lanes[recipe]
            elif gradient is not None:
                lane.move(gradient)
        self.steps += not is_last
        return found

    def _fill(self) -> list[Found]:
        """Draw works into the free places. Those whose target can't be matched are found at once."""
        found: list[Found] = []
        while members := self._draw(self._batch_size - len(self.places)):
            for recipe, joining in members.items():
                lane = self._join(recipe, joining)
                dead = lane.dead()
                found += [lane.found(row, reason) for row, reason in dead.items()]
                self._keep(lane, dead)
        return found

    def _draw(self, count: int) -> dict[Recipe, list[Member]]:
        members: dict[Recipe, list[Member]] = {}
        while self._next is not None and count > 0:
            work = self._next
            start = make_start(
                work.recipe.start, work.recipe.image_size, work.seed, target=work.target, pool=self._pool
            )
            members.setdefault(work.recipe, []).append(Member(self._drawn, work.seed, work.target, start))
            self._pass_over(work)
            count -= 1
        return members

    def _pass_over(self, work: Work) -> None:
        """Count a work as drawn and fetch the one after it."""
        self._fingerprint.add(work.target, work.seed, work.recipe.sha256)
        self._next = next(self._works, None)
        self._drawn += 1

    def _join(self, recipe: Recipe, members: Sequence[Member]) -> Lane:
        if recipe in self._lanes:
            self._lanes[recipe].join(members)
        else:
            responder = self._responder(recipe)
            self._lanes[recipe] = Lane(recipe, self._layer, responder, members, self._device)
        return self._lanes[recipe]

    def _responder(self, recipe: Recipe) -> Responder:
        layers = tuple(dict.fromkeys((self._layer, *recipe.layers)))
        key = recipe.image_size, layers
        if key not in self._responders:
            laid_out = layout(self._precision, self._device)
            responder = Responder(
                self._network, layers, recipe.image_size, self._device, self._compiler, laid_out
            )
            check_rows_alone(responder, recipe.image_size, self._device)
            self._responders[key] = responder
        return self._responders[key]

    def _keep(self, lane: Lane, gone: Iterable[int]) -> None:
        left = set(gone)
        rows = [row for row in range(len(lane)) if row not in left]
        if not rows:
            del self._lanes[lane.recipe]
        elif left:
            lane.keep(rows)

    def _release(
        self, lane: Lane, gradient: Tensor | None, is_check: bool
    ) -> tuple[Tensor | None, list[Found]]:
        """Let images leave that are done or can't go on; the gradient of those that stay."""
        exhausted = lane.exhausted()
        if not exhausted and not is_check:
            return gradient, []
        failures = lane.failures(gradient)
        gone = sorted({*exhausted, *failures, *lane.matched(partial(self._in_passes, lane.responder))})
        found = [lane.found(row, failures.get(row, "")) for row in gone]
        rows = [row for row in range(len(lane)) if row not in gone]
        if gone:
            lane.keep(rows)
        return (gradient if gradient is None or not gone else gradient[rows]), found

    @torch.no_grad()
    def _in_passes(self, responder: Responder, images: Tensor) -> Tensor:
        """The layer's responses to images, in passes of at most `pass_size`."""
        parts, self.pass_size = in_passes(
            lambda rows: self._answers(responder, images[rows])[self._layer], len(images), self.pass_size
        )
        return _joined(parts)

    def _look(self, *, is_check: bool, is_last: bool) -> dict[Recipe, Tensor]:
        """Note every lane's errors; give the gradients by its parameters, unless it is the last look."""
        gradients: dict[Recipe, Tensor] = {}
        for lanes in self._passing_together():
            images = {lane.recipe: lane.open() for lane in lanes}
            seen = {} if is_last else self._passes(lanes, images, self._descend)
            for lane in lanes:
                parts = seen.get(lane.recipe, [])
                if parts:
                    gradients[lane.recipe] = lane.by_parameters(_joined([part[1] for part in parts]))
                if parts and not lane.recipe.transforms:
                    lane.note(images[lane.recipe], _joined([part[0] for part in parts]))
                elif is_check or is_last or lane.exhausted():
                    plain = self._passes([lane], images, self._judge)[lane.recipe]
                    lane.note(images[lane.recipe], _joined([part[0] for part in plain]))
        return gradients

    def _answers(self, respond: _Respond, images: Tensor) -> dict[str, Tensor]:
        """The responses to images, on a GPU by a pass of one of a few sizes."""
        if not self._fills_up:
            return respond(images)
        room = room_for(len(images), min(self.pass_size, self._drawn))
        return {layer: answers[: len(images)] for layer, answers in respond(filled_up(images, room)).items()}

    def _passing_together(self) -> list[list[Lane]]:
        """Lanes whose images go through the same network together."""
        groups: dict[tuple[int, bool], list[Lane]] = {}
        for lane in self._lanes.values():
            groups.setdefault((id(lane.responder), lane.recipe.relu_passthrough), []).append(lane)
        return list(groups.values())

    def _passes(
        self, lanes: Sequence[Lane], images: dict[Recipe, Tensor], compute: _Pass
    ) -> dict[Recipe, list[tuple[Tensor, ...]]]:
        """What `compute` gives for all images, in passes of at most `pass_size`."""
        seen: dict[Recipe, list[tuple[Tensor, ...]]] = {lane.recipe: [] for lane in lanes}
        waiting = [_Segment(lane, slice(row, row + 1)) for lane in lanes for row in range(len(lane))]
        while waiting:
            segments = _merged(islice(waiting, self.pass_size))
            rows = [images[one.lane.recipe][one.rows] for one in segments]
            results = unless_short(partial(compute, segments, rows), self.pass_size)
            if results is None:
                self.pass_size = max(1, self.pass_size // 2)
                continue
            for segment, result in zip(segments, results, strict=True):
                seen[segment.lane.recipe].append(result)
            waiting = waiting[self.pass_size :]
        return seen

    @torch.no_grad()
    def _judge(self, segments: Sequence[_Segment], images: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """Errors of the images as they are, no random view of them."""
        responses = self._answers(segments[0].lane.responder, _joined(images))
        contexts = _contexts(segments, images, responses)
        return [(context.relative_error(),) for context in contexts]

    def _descend(self, segments: Sequence[_Segment], images: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """Errors of what the network sees of the images, and the objectives' gradients by the images."""
        first = segments[0].lane
        leaves = [one.requires_grad_() for one in images]
        views = [
            segment.lane.view(segment.rows, leaf) for segment, leaf in zip(segments, leaves, strict=True)
        ]
        with computing(self._precision, self._device):
            # Compiled code hides the ReLUs that the gradient has to pass through.
            is_plain = first.recipe.relu_passthrough
            respond = first.responder if is_plain else first.responder.descend
            responses = self._answers(respond, _joined(views))
        responses = {layer: response.float() for layer, response in responses.items()}
        if not responses[self._layer].requires_grad:
            raise LayerError(f"layer {self._layer!r} does not depend on the image; allowed: one that does")
        if first.recipe.relu_passthrough:
            pass_gradient_through(responses[self._layer])
        contexts = _contexts(segments, leaves, responses)
        losses = [
            loss(one.lane.recipe, context).sum() for one, context in zip(segments, contexts, strict=True)
        ]
        with computing_back(self._precision, self._device):
            gradients = torch.autograd.grad(torch.stack(losses).sum(), leaves)
        errors = [context.relative_error().detach() for context in contexts]
        return list(zip(errors, gradients, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """The whole search between two steps, as tensors and plain values: torch.save it.

        A search made of the same network, layer, works and batch_size that loads it goes on with the same
        bytes on the CPU.
        """
        state = {
            **self._facts(),
            "steps": self.steps,
            "drawn": self._drawn,
            "works_sha256": self._fingerprint.sha256,
            "pass_size": self.pass_size,
            "places": self.places,
            "lanes": [lane.state_dict() for lane in self._lanes.values()],
        }
        copied: dict[str, Any] = independent(state)
        return copied

    def _facts(self) -> dict[str, Any]:
        """What has to be the same where a state is gone on from."""
        return {
            "version": STATE_VERSION,
            "layer": self._layer,
            "weights_sha256": self._network.weights_sha256,
            "precision": self._precision,
            "compiler": self._compiler,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken; works that had been drawn are drawn and left aside.

        Raises SearchError for the state of another version, network, layer, precision or compiler, of other
        works, or with parts missing or of another shape.
        """
        for name, value in self._facts().items():
            if state.get(name) != value:
                raise SearchError(f"the state's {name} is {state.get(name)!r}; allowed: {value!r}")
        state = independent(state)
        self._skip(checked_whole("the state's drawn", state["drawn"], 0, None, SearchError))
        if state["works_sha256"] != self._fingerprint.sha256:
            raise SearchError(
                f"the first {state['drawn']} works are not those of the state;"
                " allowed: the same targets, seeds and recipes in the same order"
            )
        self.steps = checked_whole("the state's steps", state["steps"], 0, None, SearchError)
        self.pass_size = checked_whole("the state's pass_size", state["pass_size"], 1, None, SearchError)
        self._lanes = {}
        for one in state["lanes"]:
            responder = self._responder(Recipe.from_json(one["recipe"]))
            lane = Lane.restored(one, self._layer, responder, self._device)
            self._lanes[lane.recipe] = lane
        if self.places != state["places"]:
            raise SearchError(
                f"the state's lanes hold the images {self.places}; allowed: {state['places']}, as it says"
            )

    def _skip(self, count: int) -> None:
        """Pass over the first `count` works."""
        while self._drawn < count:
            if self._next is None:
                raise SearchError(f"there are {self._drawn} works; allowed: the {count} of the state")
            self._pass_over(self._next)


def _merged(segments: Iterable[_Segment]) -> list[_Segment]:
    """Neighbouring rows of a lane as one segment."""
    merged: list[_Segment] = []
    for segment in segments:
        if merged and merged[-1].lane is segment.lane:
            merged[-1] = _Segment(segment.lane, slice(merged[-1].rows.start, segment.rows.stop))
        else:
            merged.append(segment)
    return merged


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _contexts(
    segments: Sequence[_Segment], images: Sequence[Tensor], responses: dict[str, Tensor]
) -> list[Context]:
    """Each segment's part of the responses of one pass."""
    sizes = [len(segment) for segment in segments]
    parts = {layer: torch.split(response, sizes) for layer, response in responses.items()}
    if len(segments) == 1:
        parts = {layer: (response,) for layer, response in responses.items()}
    return [
        segment.lane.context(
            segment.rows, images[place], {layer: part[place] for layer, part in parts.items()}
        )
        for place, segment in enumerate(segments)
    ]
