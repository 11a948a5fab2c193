import math
from itertools import pairwise
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor, nn

from tests.workers.iri.tiny import SIZE, ChannelMeans, TwoStreams, built, conv_net, photographs
from workers.iri import inversion, invert
from workers.iri.devices import DeviceError, checked_device
from workers.iri.extractor import LayerError, LayerNotFound, respond
from workers.iri.images import to_png
from workers.iri.inversion import InversionError, InversionStopped, Progress, invert_each
from workers.iri.objectives import relative_error
from workers.iri.recipe import Optimizer, Recipe, Start, Term, preset
from workers.iri.search import FINISH_EVERY, SearchError, Work

PAPER = Optimizer("normalized_gradient", 1.0, "constant")


def recipe(**changes: object) -> Recipe:
    return preset("reg_free", **{"image_size": SIZE, "steps": 60, "finish_below": None, **changes})


def test_the_layer_is_matched_from_noise() -> None:
    found = invert(built(conv_net()), "pool", photographs(3), recipe(), [1, 2, 3])
    assert found.images.shape == (3, 3, SIZE, SIZE)
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    assert max(found.relative_errors) < 0.02
    assert found.steps_run == (60, 60, 60)


def test_the_first_step_of_the_paper_s_descent_has_the_worked_length() -> None:
    # From black to a grey target of 1/4: g is the channel mean, so dL/dx is the same for all 768 values, and
    # a step of length 1 raises each by 1 / sqrt(768).
    step = recipe(steps=1, start=Start("black"), optimizer=PAPER, keep="last")
    found = invert(built(ChannelMeans()), "pool", torch.full((1, 3, SIZE, SIZE), 0.25), step, [0])
    moved = 1 / math.sqrt(3 * SIZE * SIZE)
    assert torch.allclose(found.images, torch.full_like(found.images, moved), atol=1e-6)
    assert found.loss_traces == (((0, 1.0), (1, pytest.approx(1 - 4 * moved, abs=1e-5))),)


def test_the_iterates_are_those_of_a_plain_loop() -> None:
    net, targets = conv_net(), photographs(2)
    found = invert(built(net), "norm2", targets, recipe(steps=15, optimizer=PAPER, keep="last"), [4, 5])
    images = found.start_images.clone()
    for _ in range(15):
        images.requires_grad_()
        loss = relative_error(respond(net, "norm2", images), respond(net, "norm2", targets)).sum()
        (gradient,) = torch.autograd.grad(loss, images)
        norms = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        images = (images.detach() - gradient / (norms + 1e-10)).clamp(0, 1)
    assert torch.allclose(found.images, images, atol=1e-4)


def test_the_best_iterate_of_each_image_is_kept() -> None:
    # A step far too long: the descent jumps about, and its last iterate isn't its best.
    wild = recipe(steps=25, optimizer=Optimizer("adam", 0.8, "constant"))
    net, targets = built(conv_net()), photographs(3)
    found = invert(net, "pool", targets, wild, [0, 1, 2])
    for error, trace in zip(found.relative_errors, found.loss_traces, strict=True):
        assert error == min(value for _, value in trace)
        assert error < trace[-1][1]
    response, wanted = (respond(net.module, "pool", images) for images in (found.images, targets))
    assert relative_error(response, wanted).tolist() == pytest.approx(found.relative_errors, abs=1e-4)


def test_the_last_iterate_is_kept_where_the_recipe_says_so() -> None:
    last = recipe(steps=25, optimizer=Optimizer("adam", 0.8, "constant"), keep="last")
    found = invert(built(conv_net()), "pool", photographs(1), last, [0])
    assert found.relative_errors[0] == found.loss_traces[0][-1][1]


def test_the_same_call_gives_the_same_png_bytes() -> None:
    def run() -> list[bytes]:
        found = invert(built(conv_net()), "norm2", photographs(3), recipe(steps=30), [7, 8, 9])
        return [to_png(image) for image in found.images]

    torch.manual_seed(1)
    one = run()
    torch.manual_seed(2)
    assert run() == one


def test_the_global_random_state_is_left_as_it_was() -> None:
    before = torch.get_rng_state()
    invert(built(conv_net()), "pool", photographs(1), recipe(steps=3), [0])
    assert torch.equal(torch.get_rng_state(), before)


def test_each_start_image_belongs_to_its_seed_whatever_is_beside_it() -> None:
    network, targets = built(conv_net()), photographs(2)
    both = invert(network, "pool", targets, recipe(steps=1), [5, 6]).start_images
    alone = invert(network, "pool", targets[1:], recipe(steps=1), [6]).start_images
    assert torch.equal(both[1], alone[0])
    assert not torch.equal(both[0], both[1])


def test_the_descent_leaves_from_the_start_image_that_is_shown() -> None:
    network, targets = built(conv_net()), photographs(1)
    found = invert(network, "pool", targets, recipe(steps=1), [3])
    response, wanted = (respond(network.module, "pool", images) for images in (found.start_images, targets))
    assert found.loss_traces[0][0] == (0, pytest.approx(float(relative_error(response, wanted)), abs=1e-4))


def test_a_finished_image_leaves_the_batch_and_the_others_go_on() -> None:
    targets = photographs(3)
    targets[1] = invert(built(conv_net()), "pool", targets, recipe(steps=1), [0, 1, 2]).start_images[1]
    some = recipe(steps=40, finish_below=0.01, optimizer=Optimizer("adam", 0.01))
    found = invert(built(conv_net()), "pool", targets, some, [0, 1, 2])
    assert found.steps_run[1] == 0
    assert found.relative_errors[1] == pytest.approx(0, abs=1e-6)
    assert torch.equal(found.images[1], targets[1])
    assert found.loss_traces[1] == ((0, found.relative_errors[1]),)
    assert min(found.steps_run[0], found.steps_run[2]) > 0


def test_the_search_ends_when_every_image_is_finished() -> None:
    found = invert(built(conv_net()), "pool", photographs(2), recipe(steps=5000, finish_below=0.2), [0, 1])
    assert max(found.steps_run) < 200
    assert all(steps % FINISH_EVERY == 0 for steps in found.steps_run)
    assert max(found.relative_errors) <= 0.2


def test_a_trace_has_at_most_200_points_and_the_last() -> None:
    trace = invert(built(ChannelMeans()), "pool", photographs(1), recipe(steps=1003), [0]).loss_traces[0]
    assert len(trace) <= 200
    assert (trace[0][0], trace[-1][0]) == (0, 1003)
    assert all(one[0] < other[0] for one, other in pairwise(trace))


def test_no_module_after_the_layer_runs() -> None:
    class Raises(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            raise AssertionError("this module must not run")

    net = conv_net()
    net.head = Raises()  # type: ignore[assignment]
    invert(built(net), "pool", photographs(1), recipe(steps=2), [0])


def test_the_network_is_left_as_it_was() -> None:
    network = built(conv_net())
    state = {key: value.clone() for key, value in network.module.state_dict().items()}
    invert(network, "pool", photographs(1), recipe(steps=2), [0])
    assert all(torch.equal(value, state[key]) for key, value in network.module.state_dict().items())
    assert all(not module._forward_hooks for module in network.module.modules())


def test_the_objective_s_weight_does_not_change_the_errors_reported() -> None:
    found = invert(built(conv_net()), "pool", photographs(1), recipe(objective=(Term(weight=10),)), [0])
    assert found.loss_traces[0][0][1] < 2
    assert found.relative_errors[0] < 0.02


def test_progress_is_reported_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inversion, "REPORT_SECONDS", 0.0)
    seen: list[Progress] = []
    invert(built(conv_net()), "pool", photographs(2), recipe(steps=4), [0, 1], on_progress=seen.append)
    assert [(one.step, one.steps, len(one.errors)) for one in seen] == [(step, 4, 2) for step in (1, 2, 3, 4)]
    assert seen[-1].errors <= seen[0].errors
    assert all(one.seconds_per_step > 0 for one in seen)


def test_progress_is_reported_no_more_than_once_a_second() -> None:
    seen: list[Progress] = []
    found = invert(
        built(ChannelMeans()), "pool", photographs(1), recipe(steps=50), [0], on_progress=seen.append
    )
    assert len(seen) <= found.seconds


def test_a_search_stops_within_one_step_when_told_to() -> None:
    answers = iter([False, True])
    with pytest.raises(InversionStopped, match="stopped after 1 steps"):
        invert(built(conv_net()), "pool", photographs(1), recipe(), [0], should_stop=lambda: next(answers))


def test_a_target_that_the_layer_does_not_see_spoils_no_other() -> None:
    targets = photographs(2)
    targets[0] = 0
    found = invert(built(ChannelMeans()), "pool", targets, recipe(), [0, 1])
    assert found.relative_errors[0] == math.inf
    assert torch.equal(found.images[0], found.start_images[0])
    assert found.relative_errors[1] < 0.02


@pytest.mark.parametrize(
    ("targets", "seeds", "message"),
    [
        (torch.zeros(1, 3, 8, 8), [0], r"shape \(3, 8, 8\); allowed: .* \(3, 16, 16\)"),
        (
            torch.zeros(1, 3, 16, 16, dtype=torch.uint8),
            [0],
            r"targets are torch.uint8.*allowed: floating-point",
        ),
        (torch.zeros(2, 3, 16, 16), [0], "2 targets and 1 seeds; allowed: one seed per target"),
        (torch.zeros(0, 3, 16, 16), [], "there are no targets; allowed: one or more"),
        (torch.full((1, 3, 16, 16), 2.0), [0], "target 0 ranges from 2 to 2; allowed: numbers from 0 to 1"),
        (torch.zeros(1, 3, 16, 16), [-1], "the seed of target 0 is -1; allowed: whole numbers from 0"),
        (torch.zeros(1, 3, 16, 16), [1.5], "the seed of target 0 is 1.5; allowed: whole numbers from 0"),
        (
            torch.zeros(1, 3, 16, 16),
            numpy.array([0.0]),
            r"target 0 is .*0\.0.*; allowed: whole numbers from 0",
        ),
        (torch.zeros(1, 3, 16, 16), 7, "seeds is 7; allowed: one whole number per target"),
        (
            torch.stack([torch.zeros(3, 16, 16), torch.full((3, 16, 16), -1.0)]),
            [0, 1],
            "target 1 ranges from -1",
        ),
        (
            numpy.zeros((1, 3, 16, 16)),
            [0],
            r"targets are a numpy.ndarray; allowed: .*torch.from_numpy\(array\)",
        ),
        ([torch.zeros(3, 16, 16)], [0], "targets are a builtins.list; allowed: a torch.Tensor"),
    ],
)
def test_targets_and_seeds_that_cannot_be_used_are_named(
    targets: Tensor, seeds: list[int], message: str
) -> None:
    with pytest.raises(InversionError, match=message):
        invert(built(ChannelMeans()), "pool", targets, recipe(), seeds)


def test_whole_numbers_of_other_libraries_are_seeds() -> None:
    def start(seed: object) -> Tensor:
        return invert(built(ChannelMeans()), "pool", photographs(1), recipe(steps=1), seed).start_images

    assert torch.equal(start(numpy.arange(5, 6)), start([5]))
    assert torch.equal(start(torch.tensor([5])), start([5]))


def test_works_that_cannot_be_used_are_named_with_their_place() -> None:
    array: Any = numpy.zeros((3, SIZE, SIZE))
    works = [Work(photographs(1)[0], 0, recipe(steps=1)), Work(array, 1, recipe(steps=1))]
    with pytest.raises(InversionError, match=r"target 1 is a numpy.ndarray; allowed: a torch.Tensor \(3, 16"):
        invert_each(built(ChannelMeans()), "pool", works, on_result=lambda found: None, batch_size=2)


def test_recipes_and_networks_that_are_none_are_named() -> None:
    def run(network: object, recipe: object) -> None:
        invert(network, "pool", photographs(1), recipe, [0])

    allowed = r"allowed: a Recipe, as preset\('reg_free'\) gives"
    with pytest.raises(InversionError, match=f"recipe is 'reg_free'; {allowed}"):
        run(built(ChannelMeans()), "reg_free")
    with pytest.raises(InversionError, match=f"the recipe of target 0 is 'reg_free'; {allowed}"):
        run(built(ChannelMeans()), ["reg_free"])
    with pytest.raises(
        InversionError, match=r"the network is a tests.*ChannelMeans; allowed: a BuiltNetwork"
    ):
        run(ChannelMeans(), recipe())


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda", "device is 'cuda', but torch finds no CUDA device here; allowed: cpu"),
        ("cuda:3", "device is 'cuda:3', but torch finds no CUDA device here; allowed: cpu"),
        ("gpu", "device is 'gpu'; allowed: cpu, cuda, cuda:0"),
        ("meta", "device is 'meta'; allowed: cpu, cuda, cuda:0"),
    ],
)
def test_a_device_that_cannot_be_is_named(device: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for batch_size in (None, 1):
        with pytest.raises(DeviceError, match=message):
            invert(
                built(ChannelMeans()),
                "pool",
                photographs(1),
                recipe(),
                [0],
                batch_size=batch_size,
                device=device,
            )


def test_a_gpu_that_is_not_there_is_named_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(DeviceError, match="device is 'cuda:2'; allowed here: cpu, cuda:0, cuda:1"):
        checked_device("cuda:2")
    assert checked_device("cuda") == torch.device("cuda")


def test_a_layer_that_cannot_be_matched_is_named() -> None:
    class Fixed(ChannelMeans):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(self.pool(torch.ones_like(images)))

    with pytest.raises(LayerNotFound, match="no layer 'pol'; nearest: pool"):
        invert(built(ChannelMeans()), "pol", photographs(1), recipe(), [0])
    with pytest.raises(LayerError, match=r"'pair' gives a tuple.*pair.left"):
        invert(built(TwoStreams()), "pair", photographs(1), recipe(), [0])
    with pytest.raises(LayerError, match="'pool' does not depend on the image"):
        invert(built(Fixed()), "pool", photographs(1), recipe(), [0])


def test_a_target_that_is_not_finite_stops_no_other() -> None:
    targets = photographs(3)
    targets[1, 0, 3, 3] = torch.nan
    recipe = preset("reg_free", image_size=SIZE, steps=5)
    found = invert(built(conv_net()), "norm2", targets, recipe, range(3))
    assert found.failures == ("", "the response of layer 'norm2' to the target is not finite", "")
    assert found.steps_run[0] == found.steps_run[2] == 5


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(SearchError, match="batch_size is 0; allowed: whole numbers from 1"):
        invert(
            built(conv_net()), "norm2", photographs(1), preset("reg_free", image_size=SIZE), [0], batch_size=0
        )
