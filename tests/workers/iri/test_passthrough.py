from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.workers.iri.tiny import conv_net, photographs
from workers.iri.extractor import respond
from workers.iri.passthrough import pass_gradient_through

pytestmark = pytest.mark.torch


def slope(function: Callable[[Tensor], Tensor], value: float = -1.0) -> tuple[float, int]:
    """The response's slope by all pixels at a plain image of this value, and how many ReLUs passed."""
    image = torch.full((1, 4, 2, 2), value, requires_grad=True)
    response = function(image * 1)
    passed = pass_gradient_through(response)
    (gradient,) = torch.autograd.grad(response.sum(), image)
    return gradient.sum().item(), passed


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (functional.relu, 16),
        (functional.relu6, 16),
        (nn.ReLU(inplace=True), 16),
        (nn.ReLU6(inplace=True), 16),
        (lambda image: image.relu().flatten(1), 16),
        (lambda image: nn.AdaptiveAvgPool2d(1)(image.relu()).flatten(1), 4),
        (lambda image: nn.MaxPool2d(2)(image.relu()), 4),
        (lambda image: image.relu().mean((2, 3)), 4),
        (lambda image: image.relu().permute(0, 2, 3, 1)[:, 0], 8),
        (lambda image: nn.Dropout().eval()(image.relu()), 16),
    ],
)
def test_a_silent_relu_that_ends_at_the_layer_passes_the_gradient(
    function: Callable[[Tensor], Tensor], wanted: float
) -> None:
    assert slope(function) == (wanted, 1)


def test_above_six_too() -> None:
    assert slope(functional.relu6, 7.0) == (16, 1)


def test_every_branch_that_is_joined_passes() -> None:
    assert slope(lambda image: torch.cat([image.relu(), (image * 2).relu()], 1)) == (16 + 32, 2)


@pytest.mark.parametrize(
    "function",
    [
        lambda image: image.relu() * 2,
        lambda image: image.relu() + image.relu(),
        lambda image: nn.BatchNorm2d(4).eval()(image.relu()),
        nn.Hardtanh(-0.5, 0.5),
    ],
)
def test_what_computes_after_a_relu_keeps_its_gradient(function: Callable[[Tensor], Tensor]) -> None:
    assert slope(function) == (0, 0)


def test_only_the_last_relu_passes() -> None:
    assert slope(lambda image: (image.relu() + 1).relu()) == (0, 1)


def test_in_a_network_the_values_stay_and_the_gradient_changes() -> None:
    net, images = conv_net(), photographs(1).requires_grad_()
    plain = respond(net, "pool", images)
    (before,) = torch.autograd.grad(plain.sum(), images)
    response = respond(net, "pool", images)
    assert pass_gradient_through(response) == 1
    (after,) = torch.autograd.grad(response.sum(), images)
    assert torch.equal(response, plain)
    assert not torch.allclose(before, after)
    (again,) = torch.autograd.grad(respond(net, "pool", images).sum(), images)
    assert torch.equal(again, before)


def test_a_layer_without_a_relu_has_none_to_pass() -> None:
    assert pass_gradient_through(respond(conv_net(), "conv2", photographs(1).requires_grad_())) == 0
