import pytest
import torch
from torch import Tensor

from tests.workers.iri.tiny import photographs
from workers.iri.recipe import Transform, preset
from workers.iri.transforms import transform

pytestmark = pytest.mark.torch

ROBUST = preset("human_leaning").transforms
PADDED = preset("human_leaning", image_size=224).transforms


def seen(*transforms: Transform, images: Tensor | None = None, seed: int = 0, step: int = 0) -> Tensor:
    batch = photographs(1) if images is None else images
    return transform(transforms, batch, [seed] * len(batch), [step] * len(batch))


@pytest.mark.parametrize("transforms", [ROBUST, PADDED])
@pytest.mark.parametrize("size", [16, 33])
def test_a_view_has_the_shape_of_the_image(transforms: tuple[Transform, ...], size: int) -> None:
    images = photographs(2, size)
    view = transform(transforms, images, [1, 2], [0, 0])
    assert view.shape == images.shape
    assert view.ge(0).all()
    assert view.le(1).all()


def test_a_view_is_known_by_seed_and_step() -> None:
    assert torch.equal(seen(*ROBUST, seed=3, step=5), seen(*ROBUST, seed=3, step=5))
    assert not torch.equal(seen(*ROBUST, seed=3, step=5), seen(*ROBUST, seed=3, step=6))
    assert not torch.equal(seen(*ROBUST, seed=3, step=5), seen(*ROBUST, seed=4, step=5))


def test_a_view_does_not_depend_on_the_batch() -> None:
    images = photographs(3)
    together = transform(ROBUST, images, [7, 8, 9], [0, 4, 2])
    alone = transform(ROBUST, images[1:2], [8], [4])
    assert torch.allclose(together[1:2], alone, atol=1e-6)


def test_the_global_random_state_neither_matters_nor_moves() -> None:
    torch.manual_seed(1)
    before, one = torch.get_rng_state(), seen(*ROBUST)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(seen(*ROBUST), one)


def test_without_transforms_the_image_itself_is_seen() -> None:
    images = photographs(1)
    assert transform((), images, [0], [0]) is images


@pytest.mark.parametrize(
    "still", [Transform("scale", low=1, high=1), Transform("rotate", low=0, high=0), Transform("pad", 3)]
)
def test_what_changes_nothing_changes_nothing(still: Transform) -> None:
    images = photographs(1)
    assert torch.allclose(seen(still, images=images), images, atol=1e-5)


def test_jitter_shifts_by_whole_pixels_and_no_further_than_half_its_width() -> None:
    images = torch.zeros(1, 3, 17, 17)
    images[:, :, 8, 8] = 1
    places = set()
    for step in range(300):
        view = seen(Transform("jitter", 4), images=images, step=step)
        assert view.sum().item() == pytest.approx(3, abs=1e-3)
        where = view[0, 0].argmax().item()
        places.add((where // 17 - 8, where % 17 - 8))
    assert places == {(down, across) for down in range(-2, 3) for across in range(-2, 3)}


def test_a_quarter_turn_and_a_doubling_are_exact() -> None:
    images = photographs(1)
    turned = seen(Transform("rotate", low=90, high=90), images=images)
    assert torch.allclose(turned, images.rot90(1, (2, 3)), atol=1e-4) or torch.allclose(
        turned, images.rot90(-1, (2, 3)), atol=1e-4
    )
    ramp = torch.linspace(0, 1, 17).expand(1, 3, 17, 17).contiguous()
    doubled = seen(Transform("scale", low=2, high=2), images=ramp)
    assert doubled[0, 0, 8].tolist() == pytest.approx(
        [0.5 + (place - 8) / 32 for place in range(17)], abs=1e-4
    )


def test_stepped_values_are_those_of_the_range_and_no_others() -> None:
    ramp = torch.linspace(0, 1, 17).expand(1, 3, 17, 17).contiguous()
    scale = Transform("scale", low=0.9, high=1.1, step=0.02)
    slopes = set()
    for step in range(400):
        view = seen(scale, images=ramp, step=step)
        slopes.add(round(1 / (16 * (view[0, 0, 8, 9] - view[0, 0, 8, 8]).item()), 3))
    assert sorted(slopes) == pytest.approx([0.9 + 0.02 * place for place in range(11)], abs=2e-3)


def test_beyond_the_frame_is_its_grey_and_without_one_the_border_goes_on() -> None:
    images = torch.ones(1, 3, 16, 16)
    small = Transform("scale", low=0.5, high=0.5)
    framed = seen(Transform("pad", 2, value=0.25), small, images=images)
    assert framed[0, :, 0, 0].tolist() == pytest.approx([0.25] * 3)
    assert framed[0, :, 8, 8].tolist() == pytest.approx([1.0] * 3)
    assert seen(small, images=images).eq(1).all()


def test_the_gradient_reaches_the_image() -> None:
    images = photographs(2).double().requires_grad_()
    (gradient,) = torch.autograd.grad(transform(ROBUST, images, [0, 1], [0, 0])[0].sum(), images)
    assert gradient[0].abs().sum() > 0
    assert gradient[1].eq(0).all()
