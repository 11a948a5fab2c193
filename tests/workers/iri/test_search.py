"""The search as a pool."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.workers.iri.tiny import SIZE, ChannelMeans, ConvNet, built, conv_net, photographs
from workers.iri.extractor import respond
from workers.iri.images import quantize, to_png
from workers.iri.inversion import Found, InversionStopped, invert, invert_each
from workers.iri.objectives import relative_error
from workers.iri.recipe import Optimizer, Recipe, Start, Term, Transform, preset
from workers.iri.responder import SizeRefused
from workers.iri.search import FINISH_EVERY, Search, SearchError, Work

PAPER = Optimizer("normalized_gradient", 1.0, "constant")


def recipe(**changes: object) -> Recipe:
    return preset("reg_free", **{"image_size": SIZE, "steps": 20, "finish_below": None, **changes})


def works(count: int, *recipes: Recipe) -> list[Work]:
    chosen = recipes or (recipe(),)
    targets = photographs(count)
    return [Work(targets[place], place, chosen[place % len(chosen)]) for place in range(count)]


def run(search: Search) -> list[Found]:
    found: list[Found] = []
    while not search.is_finished:
        found += search.step()
    return sorted(found, key=lambda one: one.place)


def counting(net: nn.Module) -> list[int]:
    """The batch sizes of the passes from now on."""
    sizes: list[int] = []
    net.register_forward_pre_hook(lambda _module, inputs: sizes.append(len(inputs[0])))
    return sizes


class Fragile(ConvNet):
    """Says no to batches of more than `most` images, as a device without memory does."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.most, self.error = most, error
        self.load_state_dict(conv_net().state_dict())

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.most:
            raise self.error
        return super().forward(images)


def test_images_waiting_join_as_others_leave_and_all_are_found() -> None:
    found = run(Search(built(conv_net()), "pool", works(7), batch_size=3))
    assert [one.place for one in found] == list(range(7))
    assert {one.steps_run for one in found} == {20}
    assert max(one.relative_error for one in found) < 0.2


def test_an_image_is_found_the_same_whenever_it_joins() -> None:
    net = built(conv_net())
    together = run(Search(net, "pool", works(5), batch_size=5))
    in_turns = run(Search(net, "pool", works(5), batch_size=2))
    for one, other in zip(together, in_turns, strict=True):
        assert torch.equal(one.start_image, other.start_image)
        assert one.loss_trace[0][1] == pytest.approx(other.loss_trace[0][1], rel=1e-5)
        assert one.relative_error == pytest.approx(other.relative_error, abs=1e-3)


def test_a_finished_image_makes_room_at_once() -> None:
    targets = photographs(3)
    easy = recipe(finish_below=0.03, steps=1000, optimizer=Optimizer("adam", 0.05, "constant"))
    hard = recipe(steps=60)
    search = Search(
        built(conv_net()),
        "pool",
        [Work(targets[0], 0, hard), Work(targets[1], 1, easy), Work(targets[2], 2, hard)],
        batch_size=2,
    )
    places = []
    while not search.is_finished:
        search.step()
        places.append(tuple(search.places))
    assert places[0] == (0, 1)
    assert (0, 2) in places
    assert max(map(len, places)) == 2


def test_recipes_of_a_pair_share_passes() -> None:
    net = conv_net()
    sizes = counting(net)
    both = works(4, recipe(optimizer=PAPER), recipe())
    shared = run(Search(built(net), "pool", both, batch_size=4))
    assert sizes.count(4) == 20
    for alone in (recipe(optimizer=PAPER), recipe()):
        mine = [work for work in both if work.recipe == alone]
        separate = run(Search(built(conv_net()), "pool", mine, batch_size=4))
        errors = [one.relative_error for one in shared if both[one.place].recipe == alone]
        assert errors == pytest.approx([one.relative_error for one in separate], abs=1e-4)


def test_one_recipe_per_target_and_one_for_all_are_the_same_call() -> None:
    net, targets = built(conv_net()), photographs(2)
    one = invert(net, "pool", targets, recipe(), [1, 2])
    each = invert(net, "pool", targets, [recipe(), recipe()], [1, 2])
    assert torch.equal(one.images, each.images)


def test_no_more_targets_are_read_than_there_is_room_for() -> None:
    open_now = most = 0

    def read(count: int) -> Iterator[Work]:
        nonlocal open_now, most
        for work in works(count):
            open_now += 1
            most = max(most, open_now)
            yield work

    def store(found: Found) -> None:
        nonlocal open_now
        open_now -= 1

    invert_each(built(ChannelMeans()), "pool", read(40), on_result=store, batch_size=3)
    assert open_now == 0
    assert most <= 3 + 1  # the next one waits at the door


def test_results_come_as_soon_as_each_is_finished() -> None:
    seen: list[int] = []

    def read() -> Iterator[Work]:
        for place, work in enumerate(works(6)):
            if place == 5:
                assert seen == [0, 1, 2, 3]
            yield work

    invert_each(built(conv_net()), "pool", read(), on_result=lambda one: seen.append(one.place), batch_size=2)
    assert seen == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:128] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
    ],
)
def test_out_of_memory_halves_the_pass_and_loses_nothing(error: Exception) -> None:
    net = Fragile(2, error)
    search = Search(built(net), "pool", works(7), batch_size=7)
    found = run(search)
    assert search.pass_size == 1  # 7, 3, 1
    plain = run(Search(built(conv_net()), "pool", works(7), batch_size=7))
    assert [one.steps_run for one in found] == [20] * 7
    for one, other in zip(found, plain, strict=True):
        assert one.relative_error == pytest.approx(other.relative_error, abs=1e-3)


def test_a_batch_of_eight_goes_on_by_fours() -> None:
    net = Fragile(4, torch.OutOfMemoryError("CUDA out of memory"))
    sizes = counting(net)
    search = Search(built(net), "pool", works(8, recipe(steps=5)), batch_size=8)
    assert len(run(search)) == 8
    assert search.pass_size == 4
    assert sizes.count(8) == 1


def test_one_image_too_many_for_the_memory_is_an_error() -> None:
    net = Fragile(4, torch.OutOfMemoryError("CUDA out of memory"))
    search = Search(built(net), "pool", works(2), batch_size=2)
    search.step()
    for responder in search._responders.values():
        responder._extract._module.most = 0  # type: ignore[assignment]
    with pytest.raises(torch.OutOfMemoryError):
        search.step()


def test_other_errors_of_the_network_are_not_taken_for_memory() -> None:
    search = Search(built(Fragile(1, RuntimeError("shapes differ"))), "pool", works(2), batch_size=2)
    with pytest.raises(RuntimeError, match="shapes differ"):
        search.step()


class Poisoned(ChannelMeans):
    """Its response to an image of mean brightness 0.1 to 0.25 is NaN."""

    def forward(self, images: Tensor) -> Tensor:
        means = images.mean(dim=(1, 2, 3), keepdim=True)
        return super().forward(torch.where((means > 0.1) & (means < 0.25), torch.nan, images))


def greys(*values: float) -> Tensor:
    return torch.stack([torch.full((3, SIZE, SIZE), value) for value in values])


def test_a_response_that_is_not_finite_stops_its_image_and_no_other() -> None:
    slow = recipe(start=Start("black"), steps=100, optimizer=Optimizer("adam", 0.02, "cosine"))
    found = invert(built(Poisoned()), "pool", greys(0.4, 0.05), slow, [0, 1])
    assert found.failures == ("the response of layer 'pool' is not finite at step 6", "")
    assert found.steps_run == (FINISH_EVERY, 100)
    assert found.images[0].mean() == pytest.approx(0.1, abs=1e-3)  # the last that had an error
    assert found.relative_errors[0] == pytest.approx(0.75, abs=1e-3)
    assert found.relative_errors[1] < 0.02


def test_a_target_that_is_not_finite_in_the_layer_fails_at_once() -> None:
    found = invert(built(Poisoned()), "pool", greys(0.2, 0.6), recipe(start=Start("white")), [0, 1])
    assert found.failures == ("the response of layer 'pool' to the target is not finite", "")
    assert found.steps_run == (0, 20)


def test_a_dead_layer_fails_its_image_with_the_reason() -> None:
    targets = photographs(3)
    targets[1] = 0
    found = invert(built(ChannelMeans()), "pool", targets, recipe(), [0, 1, 2], batch_size=2)
    assert found.failures == ("", "layer 'pool' is dead: its response to the target has norm 0", "")
    assert found.relative_errors[1] == math.inf
    assert torch.equal(found.images[1], found.start_images[1])


def test_an_image_without_a_gradient_fails_with_the_reason() -> None:
    class Thresholded(ChannelMeans):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward((images - 0.3).relu())

    dark = recipe(start=Start("black"))
    found = invert(built(Thresholded()), "pool", greys(1.0), dark, [0])
    assert found.failures == (
        "layer 'pool' is dead: its gradient is zero at step 0, so the image can't move",
    )


def test_an_objective_without_a_gradient_is_told_from_a_dead_layer() -> None:
    """Of all units the maximum norm sees one, and that one is silent here."""

    class Split(ChannelMeans):
        def forward(self, images: Tensor) -> Tensor:
            shift = torch.tensor([0.5, -0.1, -0.1]).view(3, 1, 1)
            return super().forward((images - shift).relu())

    target = greys(1.0)
    target[:, 1:] = 0.3
    far = recipe(start=Start("black"), objective=(Term(distance="linf"),))
    found = invert(built(Split()), "pool", target, far, [0])
    assert found.failures == (
        "the objective's gradient is zero at step 0, although layer 'pool' responds to the image",
    )
    # Another view may have one.
    views = recipe(start=Start("black"), transforms=(Transform("jitter", pixels=2),), objective=far.objective)
    assert invert(built(Split()), "pool", target, views, [0]).failures == ("",)


@pytest.mark.parametrize("transforms", [(), (Transform("jitter", pixels=2),)])
def test_a_response_that_does_not_see_the_image_is_no_match(transforms: tuple[Transform, ...]) -> None:
    class Constant(ChannelMeans):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(0 * images + 1)

    found = invert(built(Constant()), "pool", photographs(1), recipe(transforms=transforms), [0])
    assert found.failures == (
        "layer 'pool' is dead: its gradient is zero at step 0, so the image can't move",
    )


def test_an_exact_match_is_no_failure() -> None:
    found = invert(built(ChannelMeans()), "pool", greys(1.0), recipe(start=Start("white")), [0])
    assert found.failures == ("",)
    assert found.relative_errors == (0.0,)


def test_what_was_finished_before_a_stop_is_kept() -> None:
    steps = 0

    def should_stop() -> bool:
        nonlocal steps
        steps += 1
        return steps > 30  # 20 of the first two, a last look at them, and 9 of the next

    with pytest.raises(InversionStopped, match="stopped after 29 steps") as stopped:
        invert(
            built(conv_net()),
            "pool",
            photographs(4),
            recipe(),
            [0, 1, 2, 3],
            batch_size=2,
            should_stop=should_stop,
        )
    assert [one.place for one in stopped.value.found] == [0, 1]


def test_an_image_is_finished_by_its_rounded_self() -> None:
    easy = recipe(finish_below=0.004, steps=500, optimizer=Optimizer("adam", 0.02, "cosine"))
    net, targets = built(conv_net()), photographs(3)
    found = invert(net, "pool", targets, easy, [0, 1, 2])
    finished = [row for row, steps in enumerate(found.steps_run) if steps < 500]
    assert finished
    shown = quantize(found.images)
    responses = respond(net.module, "pool", shown), respond(net.module, "pool", targets)
    errors = relative_error(*responses).tolist()
    assert all(errors[row] <= 0.0041 for row in finished)


def test_random_views_are_judged_by_the_image_itself() -> None:
    shaken = recipe(steps=21, transforms=(Transform("jitter", pixels=4),))
    net, targets = built(conv_net()), photographs(2)
    found = invert(net, "norm2", targets, shaken, [0, 1])
    assert [step for step, _ in found.loss_traces[0]] == [0, 10, 20, 21]
    responses = respond(net.module, "norm2", found.images), respond(net.module, "norm2", targets)
    assert relative_error(*responses).tolist() == pytest.approx(found.relative_errors, abs=1e-4)


RECIPES = (
    recipe(steps=33),
    recipe(steps=25, optimizer=PAPER, keep="last"),
    recipe(steps=31, parametrization="fourier", optimizer=Optimizer("adam", 0.05)),
    recipe(steps=22, transforms=(Transform("jitter", pixels=4),)),
    recipe(steps=40, finish_below=0.2),
)


@pytest.mark.parametrize("after", [1, 10, 27, 47])
def test_a_search_resumed_from_its_state_gives_the_same_bytes(after: int) -> None:
    net = built(conv_net())
    whole = run(Search(net, "norm2", works(9, *RECIPES), batch_size=4))

    first = Search(net, "norm2", works(9, *RECIPES), batch_size=4)
    found = [one for _ in range(after) for one in first.step()]
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = Search(net, "norm2", works(9, *RECIPES), batch_size=4)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert second.places == first.places
    found = sorted(found + run(second), key=lambda one: one.place)

    assert [to_png(one.image) for one in found] == [to_png(one.image) for one in whole]
    assert [one.loss_trace for one in found] == [one.loss_trace for one in whole]
    assert [one.steps_run for one in found] == [one.steps_run for one in whole]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("layer", "norm2", "the state's layer is 'norm2'; allowed: 'pool'"),
        ("version", 0, "the state's version is 0; allowed: 3"),
        ("weights_sha256", "f00", "the state's weights_sha256 is 'f00'"),
        ("precision", "bf16", "the state's precision is 'bf16'; allowed: 'float32'"),
    ],
)
def test_the_state_of_another_search_is_refused(name: str, value: object, message: str) -> None:
    state = Search(built(conv_net()), "pool", works(1), batch_size=1).state_dict()
    with pytest.raises(SearchError, match=message):
        Search(built(conv_net()), "pool", works(1), batch_size=1).load_state_dict({**state, name: value})


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(SearchError, match="batch_size is 0; allowed: whole numbers from 1"):
        Search(built(conv_net()), "pool", works(1), batch_size=0)


def test_no_works_are_no_search() -> None:
    assert Search(built(conv_net()), "pool", [], batch_size=1).is_finished


class Square(ChannelMeans):
    """Takes images of 32 and 64 pixels only."""

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[-1] not in (32, 64):
            raise AssertionError(f"Input height ({images.shape[-1]}) doesn't match model (32).")
        return super().forward(images)


def test_a_size_that_the_network_cannot_take_is_refused_with_those_it_can() -> None:
    with pytest.raises(
        SizeRefused,
        match=r"can't take images of 16 × 16 pixels \(Input height \(16\).*it takes 32, 64$",
    ):
        invert(built(Square()), "pool", photographs(1), recipe(), [0])


def test_a_traced_network_s_refusal_reads_as_its_own() -> None:
    class Measured(ChannelMeans):
        def forward(self, images: Tensor) -> Tensor:
            side = images.shape[2]
            torch._assert(side == 32, f"expected 32 but got {side}!")  # type: ignore[no-untyped-call]
            return super().forward(images)

    with pytest.raises(
        SizeRefused, match=r"16 × 16 pixels \(expected 32 but got another!\); of the .* takes 32"
    ):
        invert(built(Measured()), "flatten", photographs(1), recipe(), [0])


def test_an_error_at_every_size_is_the_network_s_own() -> None:
    class Broken(ChannelMeans):
        def forward(self, images: Tensor) -> Tensor:
            raise RuntimeError("weights are missing")

    with pytest.raises(RuntimeError, match="weights are missing"):
        invert(built(Broken()), "pool", photographs(1), recipe(), [0])


def test_finished_images_are_looked_for_by_steps_and_not_by_time() -> None:
    assert FINISH_EVERY == 10
    easy = recipe(finish_below=0.3, steps=1000)
    runs: list[Any] = [
        [(one.place, one.steps_run) for one in run(Search(built(conv_net()), "pool", mine, batch_size=2))]
        for mine in (works(5, easy), works(5, easy))
    ]
    assert runs[0] == runs[1]


def test_any_iterable_of_works_will_do() -> None:
    given: Iterable[Work] = (work for work in works(3))
    assert len(run(Search(built(ChannelMeans()), "pool", given, batch_size=2))) == 3
