import pytest
import torch

from tests.workers.iri.tiny import photographs
from workers.iri.images import quantize
from workers.iri.parametrizations import Fourier, Pixels, colour_matrix, parametrize, spectrum_scale
from workers.iri.recipe import PARAMETRIZATIONS, Start, preset
from workers.iri.start_images import make_start

pytestmark = pytest.mark.torch


@pytest.fixture(params=PARAMETRIZATIONS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("rule", ["unit_noise", "grey_noise", "black", "white"])
@pytest.mark.parametrize("size", [16, 17])
def test_the_image_left_from_is_the_start_image_at_8_bits(kind: str, rule: str, size: int) -> None:
    starts = torch.stack([make_start(Start(rule), size, seed) for seed in range(2)])
    images = parametrize(preset("reg_free", parametrization=kind), starts).images()
    assert images.shape == starts.shape
    assert torch.equal(quantize(images), starts)


def test_photographs_come_back_closely(kind: str) -> None:
    starts = photographs(3)
    images = parametrize(preset("reg_free", parametrization=kind), starts).images()
    assert torch.allclose(images, starts, atol=0.002)


def test_a_gradient_reaches_every_number(kind: str) -> None:
    made = parametrize(preset("reg_free", parametrization=kind), photographs(2))
    made.parameters.requires_grad_()
    weights = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad((made.images() * weights).sum(), made.parameters)
    assert gradient.shape == made.parameters.shape
    assert gradient.isfinite().all()
    moved = gradient.flatten(1).norm(dim=1)
    assert (moved > 0).all()


def test_no_image_feels_another(kind: str) -> None:
    made = parametrize(preset("reg_free", parametrization=kind), photographs(2))
    made.parameters.requires_grad_()
    (gradient,) = torch.autograd.grad(made.images()[0].sum(), made.parameters)
    assert gradient[1].eq(0).all()


def test_images_leave_and_join(kind: str) -> None:
    starts = photographs(3)
    recipe = preset("reg_free", parametrization=kind)
    whole = parametrize(recipe, starts)
    made = parametrize(recipe, starts[:2])
    made.keep(torch.tensor([1]))
    made.join(starts[2:])
    assert torch.allclose(made.images(), whole.images()[1:], atol=1e-6)
    other = parametrize(recipe, starts[1:].flip(0))
    other.load_state_dict(made.state_dict())
    assert torch.equal(other.images(), made.images())


def test_only_pixels_are_clamped(kind: str) -> None:
    made = parametrize(preset("reg_free", parametrization=kind), photographs(1))
    with torch.no_grad():
        made.parameters.add_(3)
    before = made.parameters.clone()
    made.project()
    assert made.parameters.le(1).all() if isinstance(made, Pixels) else torch.equal(made.parameters, before)
    assert made.images().ge(0).all()
    assert made.images().le(1).all()


def test_the_colour_matrix_decorrelates() -> None:
    matrix = colour_matrix()
    lengths = matrix.norm(dim=0)
    between = (matrix.T @ matrix) / (lengths[:, None] * lengths)
    # Lucid gives the matrix to two decimals: its columns are orthogonal up to that rounding.
    assert torch.allclose(between, torch.eye(3), atol=0.12)
    assert lengths.max().item() == pytest.approx(1)
    assert torch.allclose(matrix @ matrix.inverse(), torch.eye(3), atol=1e-5)
    # Brightness comes first and counts most: all of its parts have one sign.
    assert matrix[:, 0].gt(0).all()
    assert lengths.tolist() == sorted(lengths.tolist(), reverse=True)


def test_low_frequencies_weigh_most() -> None:
    scale = spectrum_scale(8, 8)
    assert scale.shape == (8, 5)
    assert scale[0, 0].item() == pytest.approx(8 * 8)  # the mean counts as the lowest frequency, 1/8
    assert scale[0, 1].item() == pytest.approx(8 / (1 / 8))
    assert scale[4, 4].item() == pytest.approx(8 / 0.5**0.5)
    assert spectrum_scale(8, 8)[1, 0] == spectrum_scale(8, 8)[7, 0]


def test_equal_steps_move_low_frequencies_further() -> None:
    grey = torch.full((1, 3, 16, 16), 0.5)
    moved = []
    for column in (1, 7):
        made = Fourier(grey)
        made.parameters[0, 0, 0, column, 0] += 0.1
        moved.append((made.images() - grey).abs().mean().item())
    assert moved[0] > 3 * moved[1]
