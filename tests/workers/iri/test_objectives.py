import pytest
import torch

from workers.iri.objectives import Context, loss, relative_error
from workers.iri.recipe import Term, preset


def test_the_relative_error_is_the_distance_over_the_target_s_norm_per_image() -> None:
    response = torch.tensor([[3.0, 0.0], [6.0, 8.0], [0.0, 0.0]])
    wanted = torch.tensor([[0.0, 4.0], [6.0, 8.0], [6.0, 8.0]])
    assert relative_error(response, wanted).tolist() == [1.25, 0.0, 1.0]


def test_a_target_without_a_response_gives_no_finite_error() -> None:
    assert relative_error(torch.ones(1, 2), torch.zeros(1, 2)).isinf().all()
    assert relative_error(torch.zeros(1, 2), torch.zeros(1, 2)).isnan().all()


def test_the_objective_weighs_its_term() -> None:
    recipe = preset("reg_free", objective=(Term(weight=10),))
    response, wanted = torch.tensor([[3.0, 0.0], [0.0, 0.0]]), torch.tensor([[3.0, 3.0], [0.0, 4.0]])
    images = torch.zeros(2, 3, 1, 1)
    norms = {"pool": torch.tensor([6.0, 4.0])}  # of the first twice what it is, to see that it is used
    context = Context("pool", {"pool": response}, {"pool": wanted}, norms, images, images, images)
    assert loss(recipe, context).tolist() == [5.0, 10.0]


def test_the_gradient_agrees_with_finite_differences() -> None:
    generator = torch.Generator().manual_seed(3)
    response, wanted = (torch.rand(2, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    assert torch.autograd.gradcheck(lambda one: relative_error(one, wanted), response.requires_grad_())


def test_no_image_feels_another() -> None:
    response, wanted = torch.rand(2, 4).requires_grad_(), torch.rand(2, 4)
    (gradient,) = torch.autograd.grad(relative_error(response, wanted)[0], response)
    assert gradient[1].tolist() == pytest.approx([0.0] * 4)
