"""Each regulariser against a loop over pixels, and numbers worked out by hand."""

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor

from workers.iri.regularizers import blur, blurred, l1, lp, total_variation

pytestmark = pytest.mark.torch

SIZE = 5


def images() -> Tensor:
    return torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def naive_tv(image: Tensor, power: float) -> float:
    total = 0.0
    for channel, row, column in product(range(3), range(SIZE), range(SIZE)):
        if column + 1 < SIZE:
            total += float(image[channel, row, column + 1] - image[channel, row, column]) ** 2
        if row + 1 < SIZE:
            total += float(image[channel, row + 1, column] - image[channel, row, column]) ** 2
    return float(total ** (power / 2))


def naive_blurred(image: Tensor, channel: int, row: int, column: int) -> float:
    weighted = weights = 0.0
    for down, across in product((-1, 0, 1), repeat=2):
        if 0 <= row + down < SIZE and 0 <= column + across < SIZE:
            weight = 1.0 if down == across == 0 else 0.5
            weighted += weight * float(image[channel, row + down, column + across])
            weights += weight
    return weighted / weights


def naive_blur(image: Tensor) -> float:
    places = product(range(3), range(SIZE), range(SIZE))
    return 0.5 * sum((float(image[place]) - naive_blurred(image, *place)) ** 2 for place in places)


def naive_lp(image: Tensor, power: float, about: float) -> float:
    return float(sum(abs(float(value) - about) ** power for value in image.flatten()) ** (1 / power))


@pytest.mark.parametrize(
    ("ours", "naive"),
    [
        (total_variation, lambda image: naive_tv(image, 2)),
        (lambda batch: total_variation(batch, 1), lambda image: naive_tv(image, 1)),
        (lambda batch: total_variation(batch, 3), lambda image: naive_tv(image, 3)),
        (blur, naive_blur),
        (l1, lambda image: naive_lp(image, 1, 0.5)),
        (lambda batch: l1(batch, 0.2), lambda image: naive_lp(image, 1, 0.2)),
        (lp, lambda image: naive_lp(image, 6, 0)),
        (lambda batch: lp(batch, 2.5, 0.5), lambda image: naive_lp(image, 2.5, 0.5)),
    ],
)
def test_it_is_the_sum_over_pixels(
    ours: Callable[[Tensor], Tensor], naive: Callable[[Tensor], float]
) -> None:
    batch = images()
    assert ours(batch).tolist() == pytest.approx([naive(image) for image in batch], rel=1e-6)
    assert ours(batch.float()).tolist() == pytest.approx([naive(image) for image in batch], rel=1e-5)


def test_numbers_worked_out_by_hand() -> None:
    # One channel: rows 0 1 / 0.5 1. Across 1, 0.5; down 0.5, 0: squares 1 + 0.25 + 0.25.
    image = torch.tensor([[[[0.0, 1.0], [0.5, 1.0]]]], dtype=torch.float64)
    assert total_variation(image).item() == 1.5
    assert total_variation(image, 1).item() == pytest.approx(1.5**0.5)
    assert l1(image).item() == 1.5
    assert lp(image, 2).item() == 1.5
    # Of four pixels each sees all: own weight 1, the others 0.5, in all 2.5.
    assert blurred(image).flatten().tolist() == pytest.approx([0.5, 0.7, 0.6, 0.7])
    assert blur(image).item() == pytest.approx(0.5 * (0.25 + 0.09 + 0.01 + 0.09))


def test_a_plain_image_costs_nothing_and_pulls_nowhere() -> None:
    plain = torch.zeros(1, 3, 4, 4, requires_grad=True)
    for cost in (total_variation(plain, 1), total_variation(plain), blur(plain), lp(plain)):
        (gradient,) = torch.autograd.grad(cost.sum(), plain)
        assert cost.item() == pytest.approx(0, abs=1e-5)
        assert gradient.eq(0).all()


def test_the_blurred_image_is_a_constant() -> None:
    batch = images().requires_grad_()
    (gradient,) = torch.autograd.grad(blur(batch).sum(), batch)
    assert torch.allclose(gradient, batch.detach() - blurred(batch.detach()))


@pytest.mark.parametrize("cost", [lambda one: total_variation(one, 1.5), l1, lambda one: lp(one, 6, 0.5)])
def test_gradients_agree_with_finite_differences(cost: Callable[[Tensor], Tensor]) -> None:
    assert torch.autograd.gradcheck(cost, images().requires_grad_())
