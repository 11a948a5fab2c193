import math

import pytest
import torch
from torch import Tensor

from workers.iri.optimizers import Adam, NormalizedGradient, StepRule, learning_rates, make_rule
from workers.iri.parametrizations import Pixels
from workers.iri.recipe import Optimizer, Recipe, preset


def recipe(name: str = "adam", rate: float = 0.1, schedule: str = "constant") -> Recipe:
    return preset("reg_free", steps=100, optimizer=Optimizer(name, rate, schedule))


def counter(step: int, count: int) -> Tensor:
    return torch.full((count,), step)


def follow(rule: StepRule, pixels: Pixels, gradients: Tensor) -> None:
    for step, gradient in enumerate(gradients):
        rule.step(pixels, gradient, counter(step, len(gradient)))


def test_a_normalised_step_has_the_length_of_the_rate_in_every_image() -> None:
    pixels = Pixels(torch.zeros(2, 1, 1, 2))
    gradient = torch.tensor([[3.0, 4.0], [0.0, 1e-3]]).view(2, 1, 1, 2)
    follow(NormalizedGradient(recipe(rate=0.5)), pixels, gradient[None])
    assert pixels.parameters.flatten(1).tolist() == [pytest.approx([-0.3, -0.4]), pytest.approx([0.0, -0.5])]


def test_a_zero_gradient_moves_nothing() -> None:
    pixels = Pixels(torch.ones(1, 1, 1, 2))
    follow(NormalizedGradient(recipe(rate=1.0)), pixels, torch.zeros(1, 1, 1, 1, 2))
    assert pixels.parameters.eq(1).all()


def test_adam_is_torch_s_adam() -> None:
    gradients = torch.randn(20, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    ours = Pixels(torch.zeros(2, 3, 4, 4))
    theirs = torch.zeros(2, 3, 4, 4, requires_grad=True)
    reference = torch.optim.Adam([theirs], lr=0.1, betas=(0.9, 0.99), eps=1e-8)
    follow(Adam(recipe(), ours.parameters), ours, gradients)
    for gradient in gradients:
        theirs.grad = gradient.clone()
        reference.step()
    assert torch.allclose(ours.parameters, theirs, atol=1e-6)


def test_an_image_moves_the_same_after_others_have_left() -> None:
    gradients = torch.randn(6, 3, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    whole, shrinking = Pixels(torch.zeros(3, 1, 2, 2)), Pixels(torch.zeros(3, 1, 2, 2))
    follow(Adam(recipe(), whole.parameters), whole, gradients)
    rule, rows = Adam(recipe(), shrinking.parameters), torch.arange(3)
    for step, gradient in enumerate(gradients):
        if step == 3:
            rows = torch.tensor([0, 2])
            rule.keep(rows)
            shrinking.keep(rows)
        rule.step(shrinking, gradient[rows], counter(step, len(rows)))
    assert torch.equal(shrinking.parameters, whole.parameters[[0, 2]])


def test_an_image_that_joins_late_moves_as_one_that_begins() -> None:
    gradients = torch.randn(6, 2, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    alone = Pixels(torch.zeros(1, 1, 2, 2))
    falling = recipe(schedule="cosine")
    follow(Adam(falling, alone.parameters), alone, gradients[2:, 1:])
    pair = Pixels(torch.zeros(1, 1, 2, 2))
    rule = Adam(falling, pair.parameters)
    follow(rule, pair, gradients[:2, :1])
    rule.join(1)
    pair.join(torch.zeros(1, 1, 2, 2))
    for step in range(4):
        rule.step(pair, gradients[2 + step], torch.tensor([2 + step, step]))
    assert torch.equal(pair.parameters[1], alone.parameters[0])


def test_the_state_of_adam_can_be_kept_and_gone_on_with() -> None:
    gradients = torch.randn(6, 2, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    whole, begun = Pixels(torch.zeros(2, 1, 2, 2)), Pixels(torch.zeros(2, 1, 2, 2))
    follow(Adam(recipe(), whole.parameters), whole, gradients)
    before = Adam(recipe(), begun.parameters)
    follow(before, begun, gradients[:3])
    after = Adam(recipe(), begun.parameters)
    after.load_state_dict(before.state_dict())
    for step in range(3, 6):
        after.step(begun, gradients[step], counter(step, 2))
    assert torch.equal(begun.parameters, whole.parameters)


def test_the_recipe_chooses_the_rule() -> None:
    pixels = Pixels(torch.zeros(1, 3, 2, 2))
    assert isinstance(make_rule(recipe("adam"), pixels), Adam)
    assert isinstance(make_rule(recipe("normalized_gradient"), pixels), NormalizedGradient)


def test_the_cosine_falls_from_the_rate_to_nothing() -> None:
    rates = learning_rates(recipe(rate=0.4, schedule="cosine"), torch.tensor([0, 50, 99]))
    assert rates.tolist() == pytest.approx([0.4, 0.2, 0.2 * (1 + math.cos(0.99 * math.pi))])
    assert learning_rates(recipe(rate=0.4), torch.arange(5)).tolist() == [0.4] * 5
