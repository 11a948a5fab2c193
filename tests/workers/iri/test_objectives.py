from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from tests.workers.iri.tiny import photographs
from workers.iri.objectives import Context, anchors, loss, relative_error
from workers.iri.perceptual import Perceptual
from workers.iri.recipe import Recipe, Term, preset
from workers.iri.regularizers import blur, l1, lp, total_variation


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
    context = Context("pool", {"pool": response}, {"pool": wanted}, norms, images)
    assert loss(recipe, context).tolist() == [5.0, 10.0]


def test_the_gradient_agrees_with_finite_differences() -> None:
    generator = torch.Generator().manual_seed(3)
    response, wanted = (torch.rand(2, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    assert torch.autograd.gradcheck(lambda one: relative_error(one, wanted), response.requires_grad_())


def test_no_image_feels_another() -> None:
    response, wanted = torch.rand(2, 4).requires_grad_(), torch.rand(2, 4)
    (gradient,) = torch.autograd.grad(relative_error(response, wanted)[0], response)
    assert gradient[1].tolist() == pytest.approx([0.0] * 4)


def looking(
    images: Tensor, responses: dict[str, Tensor], wanted: dict[str, Tensor], **more: object
) -> Context:
    norms = {layer: one.norm(dim=1) for layer, one in wanted.items()}
    return Context("pool", responses, wanted, norms, images, **more)  # type: ignore[arg-type]


def of(*terms: Term) -> Recipe:
    """The terms beside one at the matched layer that is 0 in these tests."""
    return preset("reg_free", objective=(Term(), *terms))


MATCHED = torch.ones(1, 2)
RESPONSES = {"pool": MATCHED, "conv": torch.tensor([[3.0, 0.0]])}
WANTED = {"pool": MATCHED, "conv": torch.tensor([[3.0, 4.0]])}


@pytest.mark.parametrize(
    ("distance", "value"), [("relative_l2", 4 / 5), ("cosine", 1 - 3 / 5), ("linf", 4 / 4)]
)
def test_another_layer_is_compared_by_the_distance_asked_for(distance: str, value: float) -> None:
    context = looking(torch.zeros(1, 3, 2, 2), RESPONSES, WANTED)
    recipe = of(Term(weight=2, distance=distance, layer="conv"))
    assert loss(recipe, context).tolist() == pytest.approx([2 * value])


def test_several_layers_and_regularisers_add_up() -> None:
    images = photographs(2, 8)
    doubled = {layer: one.repeat(2, 1) for layer, one in RESPONSES.items()}
    wanted = {layer: one.repeat(2, 1) for layer, one in WANTED.items()}
    recipe = of(
        Term(layer="conv"),
        Term(weight=-0.5, layer="conv", distance="cosine"),
        Term("tv", 0.1, power=1),
        Term("blur", 0.2),
        Term("l1", -0.3),
        Term("lp", 0.4, power=3, about=0.5),
    )
    expected = (
        0.8
        - 0.5 * 0.4
        + 0.1 * total_variation(images, 1)
        + 0.2 * blur(images)
        - 0.3 * l1(images)
        + 0.4 * lp(images, 3, 0.5)
    )
    assert torch.allclose(loss(recipe, looking(images, doubled, wanted)), expected)


def embedding() -> Perceptual:
    """An LPIPS whose vectors are the image's values, weighed: its trunk is the identity at every tap."""
    features = nn.Sequential(*(nn.Identity() for _ in range(12)))
    heads = [torch.tensor([0.1, 0.2, 0.3]) for _ in range(5)]
    return Perceptual("alex", features, heads, {})


def test_lpips_pulls_to_its_anchor_and_a_negative_weight_pushes_away() -> None:
    trunks = {"alex": embedding()}
    images, targets, starts = photographs(6, 31).chunk(3)
    recipe = of(Term("perceptual", -2.0), Term("perceptual", 3.0, anchor="start"))
    rows = anchors(recipe, trunks, targets, starts, lambda: pytest.fail("no scale is measured"))
    responses = {"pool": MATCHED.repeat(2, 1)}
    context = looking(images, responses, responses, trunks=trunks, anchors=rows)
    to_target, to_start = (trunks["alex"].distance(images, one) for one in (targets, starts))
    assert torch.allclose(loss(recipe, context), -2 * to_target + 3 * to_start)


def test_a_measured_scale_balances_both_parts_on_each_start_image_and_then_stays() -> None:
    trunks = {"alex": embedding()}
    images, targets, starts = photographs(6, 31).chunk(3)
    recipe = preset("adversarial", image_size=31)
    start_errors = torch.tensor([0.5, 2.0])
    rows = anchors(recipe, trunks, targets, starts, lambda: start_errors)
    wanted = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    at_start = wanted + start_errors[:, None] * torch.tensor([2.0, 0.0])
    context = looking(starts, {"pool": at_start}, {"pool": wanted}, trunks=trunks, anchors=rows)
    assert torch.allclose(loss(recipe, context), torch.zeros(2), atol=1e-6)
    moved = looking(images, {"pool": at_start}, {"pool": wanted}, trunks=trunks, anchors=rows)
    scale = start_errors / trunks["alex"].distance(starts, targets)
    expected = start_errors - scale * trunks["alex"].distance(images, targets)
    assert torch.allclose(loss(recipe, moved), expected)


def test_no_image_s_scale_depends_on_its_neighbours() -> None:
    trunks = {"alex": embedding()}
    targets, starts = photographs(4, 31).chunk(2)
    recipe = preset("adversarial", image_size=31)
    together = anchors(recipe, trunks, targets, starts, lambda: torch.tensor([0.5, 2.0]))
    alone = anchors(recipe, trunks, targets[1:], starts[1:], lambda: torch.tensor([2.0]))
    for name, rows in alone.items():
        assert torch.allclose(together[name][1:], rows)


@pytest.mark.parametrize(
    "term",
    [Term(layer="conv", distance=distance) for distance in ("relative_l2", "cosine", "linf")]
    + [Term("tv"), Term("blur"), Term("l1"), Term("lp"), Term("perceptual")],
)
def test_every_term_falls_along_its_gradient(term: Term) -> None:
    trunks = {"alex": embedding()}
    targets, starts = photographs(4, 31).double().chunk(2)
    recipe = of(term)
    rows = anchors(recipe, trunks, targets, starts, lambda: pytest.fail("no scale is measured"))
    images = photographs(6, 31)[4:].double()
    values = []
    for _ in range(4):
        images.requires_grad_()
        pooled = {"conv": images.mean((2, 3)), "pool": torch.ones(2, 1)}
        wanted = {"conv": targets.mean((2, 3)), "pool": torch.ones(2, 1)}
        value = loss(recipe, looking(images, pooled, wanted, trunks=trunks, anchors=rows))
        (gradient,) = torch.autograd.grad(value.sum(), images)
        values.append(value.sum().item())
        lengths = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        images = images.detach() - 0.01 * gradient / lengths
    assert all(after < before for before, after in pairwise(values))
