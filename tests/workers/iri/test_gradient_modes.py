"""A caller who has turned gradients off gets the same layers and images."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch

from tests.workers.iri.tiny import SIZE, conv_net, photographs
from workers.iri.inversion import Found, invert, invert_each
from workers.iri.layers import list_layers
from workers.iri.own_networks import from_module
from workers.iri.quality import measure
from workers.iri.recipe import preset
from workers.iri.search import Work

pytestmark = pytest.mark.torch
RECIPE = preset("reg_free", image_size=SIZE, steps=5, finish_below=None)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradients_are_turned_on_inside(mode: Callable[[], AbstractContextManager[None]]) -> None:
    network = from_module(conv_net(), input_size=SIZE)
    layers = list_layers(network, SIZE)
    images = invert(network, "pool", photographs(2), RECIPE, [0, 1]).images
    each: list[Found] = []
    with mode():
        again = from_module(conv_net(), input_size=SIZE)
        assert list_layers(again, SIZE) == layers
        targets = photographs(2)
        found = invert(again, "pool", targets, RECIPE, [0, 1])
        works = [Work(target, seed, RECIPE) for seed, target in enumerate(targets)]
        invert_each(again, "pool", works, on_result=each.append)
        assert measure(again, "pool", found.images, targets)
    assert torch.equal(found.images, images)
    assert torch.equal(torch.stack([one.image for one in each]), images)
