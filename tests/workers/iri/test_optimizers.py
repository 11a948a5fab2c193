import math

import pytest
import torch
from torch import Tensor

from workers.iri.optimizers import LBFGS, Adam, NormalizedGradient, StepRule, learning_rates, make_rule
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


def test_halving_blocks_halve_the_rate_from_block_to_block() -> None:
    feather = preset("feather2023")
    steps = torch.tensor([0, 2_999, 3_000, 5_999, 6_000, 21_000, 23_999])
    assert learning_rates(feather, steps).tolist() == [1, 1, 1 / 2, 1 / 2, 1 / 4, 1 / 128, 1 / 128]
    uneven = preset("reg_free", steps=10, optimizer=Optimizer("adam", 0.4, "halving", blocks=3))
    rates = learning_rates(uneven, torch.arange(10))
    assert rates.tolist() == pytest.approx([0.4] * 4 + [0.2] * 3 + [0.1] * 3)


def bowls(count: int, size: int = 12) -> tuple[Tensor, Tensor]:
    """Quadratics 1/2 x A x - b x, one per image, of condition numbers up to about a hundred: A and b."""
    generator = torch.Generator().manual_seed(2)
    basis = torch.linalg.qr(torch.randn(count, size, size, generator=generator, dtype=torch.float64))[0]
    curvatures = torch.logspace(-1, 1, size, dtype=torch.float64)
    steep = basis @ torch.diag_embed(curvatures.expand(count, size)) @ basis.mT
    return steep, torch.randn(count, size, generator=generator, dtype=torch.float64)


def slide(rule: StepRule, pixels: Pixels, steep: Tensor, pull: Tensor, first: int, last: int) -> None:
    for step in range(first, last):
        place = pixels.parameters.flatten(1)
        gradient = (steep @ place[..., None]).squeeze(-1) - pull
        rule.step(pixels, gradient.view_as(pixels.parameters), counter(step, len(place)))


def lbfgs(pixels: Pixels) -> LBFGS:
    return LBFGS(preset("reg_free", optimizer=Optimizer("lbfgs", 1, "constant")), pixels.parameters)


def flat(count: int) -> Pixels:
    return Pixels(torch.zeros(count, 3, 2, 2, dtype=torch.float64))


def test_l_bfgs_finds_the_bottom_of_a_quadratic() -> None:
    steep, pull = bowls(3)
    pixels = flat(3)
    slide(lbfgs(pixels), pixels, steep, pull, 0, 60)
    bottom = torch.linalg.solve(steep, pull)
    assert torch.allclose(pixels.parameters.flatten(1), bottom, atol=1e-6)


def test_l_bfgs_takes_torch_s_steps_in_every_image_alone() -> None:
    steep, pull = bowls(2)
    pixels = flat(2)
    slide(lbfgs(pixels), pixels, steep, pull, 0, 15)
    for one in range(2):
        place = torch.zeros(12, dtype=torch.float64, requires_grad=True)
        reference = torch.optim.LBFGS([place], lr=1, max_iter=1, history_size=10)

        def closure(
            place: Tensor = place, one: int = one, reference: torch.optim.LBFGS = reference
        ) -> Tensor:
            reference.zero_grad()
            value = place @ steep[one] @ place / 2 - pull[one] @ place
            (place.grad,) = torch.autograd.grad(value, place)
            return value

        for _ in range(15):
            reference.step(closure)  # type: ignore[no-untyped-call]
        assert torch.allclose(pixels.parameters[one].flatten(), place.detach(), atol=1e-9)


def test_l_bfgs_goes_on_alike_when_images_leave_and_join_and_after_a_restart() -> None:
    steep, pull = bowls(3)
    whole = flat(3)
    slide(lbfgs(whole), whole, steep, pull, 0, 12)

    part = flat(2)
    rule = lbfgs(part)
    slide(rule, part, steep[:2], pull[:2], 0, 6)
    rows = torch.tensor([1])
    rule.keep(rows)
    part.keep(rows)
    rule.join(1)
    part.join(torch.zeros(1, 3, 2, 2, dtype=torch.float64))
    again, restarted = flat(2), lbfgs(flat(2))
    again.load_state_dict(part.state_dict())
    restarted.load_state_dict(rule.state_dict())
    for step in range(12):
        place = again.parameters.flatten(1)
        gradient = (steep[1:] @ place[..., None]).squeeze(-1) - pull[1:]
        restarted.step(again, gradient.view_as(again.parameters), torch.tensor([6 + step, step]))
    assert torch.allclose(again.parameters[1], whole.parameters[2], atol=1e-9)
    longer = flat(3)
    slide(lbfgs(longer), longer, steep, pull, 0, 18)
    assert torch.allclose(again.parameters[0], longer.parameters[1], atol=1e-9)


def test_l_bfgs_begins_anew_where_its_direction_does_not_descend() -> None:
    """On a slope that turns round between steps the pairs mislead; the step is then the gradient's."""
    pixels = flat(1)
    rule = lbfgs(pixels)
    generator = torch.Generator().manual_seed(6)
    for step in range(30):
        gradient = torch.randn(1, 3, 2, 2, generator=generator, dtype=torch.float64)
        before = pixels.parameters.clone()
        rule.step(pixels, gradient, counter(step, 1))
        assert ((pixels.parameters - before) * gradient).sum() < 0


def test_the_recipe_chooses_l_bfgs() -> None:
    chosen = preset("reg_free", optimizer=Optimizer("lbfgs", 1, "constant"))
    assert isinstance(make_rule(chosen, flat(1)), LBFGS)
