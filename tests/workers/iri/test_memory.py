"""Any number of targets takes the memory of one batch."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.workers.iri.tiny import SIZE, ChannelMeans, built
from workers.iri.inversion import Found, invert_each
from workers.iri.recipe import preset
from workers.iri.search import Work

pytestmark = pytest.mark.torch
BATCH = 4


def test_a_thousand_targets_leave_nothing_behind_but_their_results() -> None:
    recipe = preset("reg_free", image_size=SIZE, steps=2, finish_below=None)
    targets: list[weakref.ref[Tensor]] = []
    images: list[weakref.ref[Tensor]] = []
    most = 0
    places: list[int] = []

    def read() -> Iterator[Work]:
        for seed in range(1000):
            target = torch.full((3, SIZE, SIZE), 0.1 + 0.0008 * seed)
            targets.append(weakref.ref(target))
            yield Work(target, seed, recipe)

    def store(found: Found) -> None:
        nonlocal most
        places.append(found.place)
        images.append(weakref.ref(found.image))
        if len(places) % 100 == 0:
            gc.collect()
            most = max(most, sum(one() is not None for one in (*targets, *images)))

    invert_each(built(ChannelMeans()), "pool", read(), on_result=store, batch_size=BATCH)
    assert sorted(places) == list(range(1000))
    # A batch of targets, the one at the door, and the images that left together.
    assert most <= 2 * BATCH + 1
