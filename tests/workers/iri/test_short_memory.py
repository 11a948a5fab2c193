"""Where memory is short, whatever looks at several images takes half as many at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.workers.iri.tiny import SIZE, ConvNet, built, conv_net, photographs
from workers.iri.inversion import invert
from workers.iri.nulls import null_distribution
from workers.iri.quality import measure
from workers.iri.recipe import preset

pytestmark = pytest.mark.torch


class Cramped(ConvNet):
    """Has no memory for more than `most` images where no gradient is asked for."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.load_state_dict(conv_net().state_dict())

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.most and not images.requires_grad:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(images)


@pytest.mark.parametrize("most", [1, 2])
def test_what_is_finished_is_judged_in_passes_that_fit(most: int) -> None:
    recipe = preset("reg_free", image_size=SIZE, steps=60)
    found = invert(built(Cramped(most)), "pool", photographs(6), recipe, range(6), batch_size=6)
    assert not any(found.failures)
    assert max(found.relative_errors) <= 0.03
    assert max(found.steps_run) < 60


def test_images_are_measured_in_passes_that_fit() -> None:
    images, targets = photographs(7), photographs(7).flip(0)
    rows = measure(built(Cramped(2)), "pool", images, targets)
    whole = measure(built(conv_net()), "pool", images, targets)
    assert [row.relative_error for row in rows] == pytest.approx(
        [row.relative_error for row in whole], rel=1e-4
    )


def test_a_null_is_computed_in_passes_that_fit() -> None:
    images = photographs(7)
    null = null_distribution(built(Cramped(2)), "pool", 7, images.__getitem__)
    whole = null_distribution(built(conv_net()), "pool", 7, images.__getitem__)
    assert null.limit("relative_error", 0.99) == pytest.approx(whole.limit("relative_error", 0.99), rel=1e-4)


def test_one_image_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        measure(built(Cramped(0)), "pool", photographs(2), photographs(2))
