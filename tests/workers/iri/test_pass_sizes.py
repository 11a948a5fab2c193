"""Passes of a few sizes: what a GPU's search does, on the CPU."""

import doctest
from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from tests.workers.iri.tiny import SIZE, ConvNet, built, conv_net, photographs
from workers.iri import pass_sizes
from workers.iri.lane import Found
from workers.iri.pass_sizes import filled_up, room_for
from workers.iri.recipe import Optimizer, Recipe, Transform, preset
from workers.iri.search import Search, Work

pytestmark = pytest.mark.torch
RECIPE = preset("reg_free", image_size=SIZE, finish_below=None)


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(pass_sizes).failed == 0


def test_a_pass_is_never_smaller_than_its_images_nor_four_times_as_large() -> None:
    for most in (1, 2, 3, 7, 8, 64, 255):
        for count in range(1, most + 1):
            assert count <= room_for(count, most) < 4 * count + 4
        assert len({room_for(count, most) for count in range(1, most + 1)}) <= 5
    assert room_for(9, 8) == 9


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_what_fills_up_keeps_the_layout_and_takes_no_gradient(layout: torch.memory_format) -> None:
    images = photographs(3).contiguous(memory_format=layout).requires_grad_()
    full = filled_up(images, 5)
    assert full.is_contiguous(memory_format=layout)
    assert torch.equal(full[:3], images)
    assert full[3:].eq(0.5).all()
    full.sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert images.grad.eq(1).all()
    assert filled_up(images, 3) is images


class Counting(ConvNet):
    """Notes the sizes of the passes that it and its copies see."""

    sizes: ClassVar[list[int]] = []

    def __init__(self) -> None:
        super().__init__()
        self.load_state_dict(conv_net().state_dict())
        self.sizes.clear()

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(len(images))
        return super().forward(images)


def leaving(recipe: Recipe, count: int = 9) -> list[Work]:
    """Works of which the first is done after 4 steps, the next after 8, ..."""
    return [
        Work(
            target, seed, replace(recipe, optimizer=Optimizer("adam", 0.07, "constant"), steps=4 * (seed + 1))
        )
        for seed, target in enumerate(photographs(count))
    ]


def found_by(net: ConvNet, works: list[Work], *, fills_up: bool) -> list[Found]:
    search = Search(built(net), "pool", works, batch_size=32)
    search._fills_up = fills_up
    found: list[Found] = []
    while not search.is_finished:
        found += search.step()
    return sorted(found, key=lambda one: one.place)


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        replace(RECIPE, finish_below=0.2),
        replace(RECIPE, relu_passthrough=True),
        replace(RECIPE, transforms=(Transform("jitter", pixels=4),), keep="last"),
    ],
)
def test_a_search_by_filled_passes_finds_what_it_finds_by_bare_ones(recipe: Recipe) -> None:
    net = Counting()
    bare = found_by(net, leaving(recipe), fills_up=False)
    net.sizes.clear()
    full = found_by(net, leaving(recipe), fills_up=True)
    # 1 and 2 are those of targets and of the check that images don't mix.
    assert set(net.sizes) == {9, 2, 1}
    assert [one.failure for one in full] == [""] * 9
    assert [one.steps_run for one in full] == [one.steps_run for one in bare]
    for one, other in zip(full, bare, strict=True):
        assert one.relative_error == pytest.approx(other.relative_error, rel=0.02)


def test_on_the_cpu_no_pass_is_filled_up() -> None:
    net = Counting()
    search = Search(built(net), "pool", leaving(RECIPE), batch_size=32)
    while not search.is_finished:
        search.step()
    assert set(net.sizes) >= set(range(1, 10))
