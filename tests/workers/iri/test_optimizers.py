import math

import pytest
import torch

from workers.iri.optimizers import Adam, NormalizedGradient, learning_rate, make_rule
from workers.iri.recipe import Optimizer, preset


def test_a_normalised_step_has_the_length_of_the_rate_in_every_image() -> None:
    images = torch.zeros(2, 1, 1, 2)
    NormalizedGradient().step(images, torch.tensor([[3.0, 4.0], [0.0, 1e-3]]).view(2, 1, 1, 2), 0.5)
    assert images.flatten(1).tolist() == [pytest.approx([-0.3, -0.4]), pytest.approx([0.0, -0.5])]


def test_a_zero_gradient_moves_nothing() -> None:
    images = torch.ones(1, 1, 1, 2)
    NormalizedGradient().step(images, torch.zeros(1, 1, 1, 2), 1.0)
    assert images.eq(1).all()


def test_adam_is_torch_s_adam() -> None:
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(20, 2, 3, 4, 4, generator=generator)
    ours = torch.zeros(2, 3, 4, 4)
    theirs = torch.zeros(2, 3, 4, 4, requires_grad=True)
    rule, reference = Adam(ours), torch.optim.Adam([theirs], lr=0.1, betas=(0.9, 0.99), eps=1e-8)
    for gradient in gradients:
        rule.step(ours, gradient, 0.1)
        theirs.grad = gradient.clone()
        reference.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_an_image_moves_the_same_after_others_have_left() -> None:
    gradients = torch.randn(6, 3, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    whole, part = torch.zeros(3, 1, 2, 2), torch.zeros(3, 1, 2, 2)
    rule, shrinking = Adam(whole), Adam(part)
    rows = torch.arange(3)
    for step, gradient in enumerate(gradients):
        rule.step(whole, gradient, 0.1)
        if step == 3:
            rows = torch.tensor([0, 2])
            shrinking.keep(rows)
            part = part[rows]
        shrinking.step(part, gradient[rows], 0.1)
    assert torch.equal(part, whole[[0, 2]])


def test_the_recipe_chooses_the_rule() -> None:
    images = torch.zeros(1, 3, 2, 2)
    assert isinstance(make_rule(Optimizer("adam"), images), Adam)
    assert isinstance(make_rule(Optimizer("normalized_gradient"), images), NormalizedGradient)


def test_the_cosine_falls_from_the_rate_to_nothing() -> None:
    recipe = preset("reg_free", steps=100, optimizer=Optimizer("adam", 0.4, "cosine"))
    assert learning_rate(recipe, 0) == 0.4
    assert learning_rate(recipe, 50) == pytest.approx(0.2)
    assert learning_rate(recipe, 99) == pytest.approx(0.2 * (1 + math.cos(0.99 * math.pi)))
    constant = preset("reg_free", optimizer=Optimizer("adam", 0.4, "constant"))
    assert {learning_rate(constant, step) for step in range(5)} == {0.4}
