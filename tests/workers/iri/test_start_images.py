from typing import Any

import pytest
import torch
from torch import Tensor

from tests.workers.iri.tiny import built, conv_net, photographs
from workers.iri.images import from_png, to_png
from workers.iri.inversion import invert
from workers.iri.recipe import CHOICES, START_RULES, Start, preset
from workers.iri.start_images import Pool, StartError, make_start

POOL = Pool(photographs(6, 32), ("cat", "dog", "cat", "", "dog", "cup"))


def target(place: int) -> Tensor:
    return POOL.images[place].float() / 255


@pytest.mark.parametrize("rule", START_RULES)
def test_a_start_image_is_an_8_bit_image_known_by_its_seed(rule: str) -> None:
    start = make_start(Start(rule), 32, 7, target=target(0), pool=POOL)
    assert start.shape == (3, 32, 32)
    assert torch.equal(from_png(to_png(start)), start)
    assert torch.equal(make_start(Start(rule), 32, 7, target=target(0), pool=POOL), start)


def test_every_seed_gives_its_own_noise() -> None:
    assert not torch.equal(make_start(Start(), 32, 0), make_start(Start(), 32, 1))


def test_the_global_random_state_neither_matters_nor_moves() -> None:
    torch.manual_seed(1)
    before, one = torch.get_rng_state(), make_start(Start(), 32, 3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(make_start(Start(), 32, 3), one)


@pytest.mark.parametrize(
    ("rule", "mean", "spread"),
    # Unit noise in [0, 1]: mean phi(0) - phi(1) + 1 - Phi(1), square Phi(1) - 1/2 - phi(1) + 1 - Phi(1).
    [("unit_noise", 0.3156, 0.3980), ("light_noise", 0.0040, 0.0058), ("grey_noise", 0.5, 0.05)],
)
def test_noise_has_the_distribution_that_its_rule_says(rule: str, mean: float, spread: float) -> None:
    start = make_start(Start(rule), 256, 0)
    assert float(start.mean()) == pytest.approx(mean, abs=0.003)
    assert float(start.std()) == pytest.approx(spread, abs=0.003)


def test_black_is_0_and_white_is_1() -> None:
    assert make_start(Start("black"), 16, 0).eq(0).all()
    assert make_start(Start("white"), 16, 0).eq(1).all()


def chosen(choice: str, place: int, seed: int = 0) -> int:
    """The place in the pool of the image chosen for the one at `place`."""
    start = make_start(Start("natural", choice=choice), 32, seed, target=target(place), pool=POOL)
    (found,) = [one for one in range(6) if torch.equal(target(one), start)]
    return found


@pytest.mark.parametrize("place", range(6))
def test_nearest_and_farthest_are_by_pixels_and_never_the_target(place: int) -> None:
    distances = {other: (target(other) - target(place)).norm().item() for other in range(6) if other != place}
    assert chosen("nearest", place) == min(distances, key=lambda other: distances[other])
    assert chosen("farthest", place) == max(distances, key=lambda other: distances[other])


def test_another_class_is_drawn_by_the_seed_from_all_whose_label_is_known_to_differ() -> None:
    assert {chosen("other_class", 0, seed) for seed in range(60)} == {1, 4, 5}
    assert chosen("other_class", 0, 3) == chosen("other_class", 0, 3)


def test_noise_about_the_target() -> None:
    start = make_start(Start("target_noise", scale=0.1), 32, 5, target=torch.full((3, 32, 32), 0.5))
    assert start.mean().item() == pytest.approx(0.5, abs=0.01)
    assert start.std().item() == pytest.approx(0.1, abs=0.01)


def test_a_pool_may_hold_bytes() -> None:
    held = Pool(POOL.images, POOL.labels)
    rule = Start("natural", choice="nearest")
    one = make_start(rule, 32, 0, target=target(2), pool=held)
    assert torch.equal(one, make_start(rule, 32, 0, target=target(2), pool=POOL))


@pytest.mark.parametrize("choice", ["nearest", "farthest"])
def test_a_pool_of_the_target_alone_has_nothing_to_choose(choice: str) -> None:
    alone = Pool(POOL.images[:1].repeat(2, 1, 1, 1), ("cat", "cat"))
    with pytest.raises(
        StartError, match=f"no image but the target; allowed: at least one other for '{choice}'"
    ):
        make_start(Start("natural", choice=choice), 32, 0, target=target(0), pool=alone)


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (
            torch.full((2, 3, 4, 4), 255.0),
            ("", ""),
            "image 0 of a pool holds 255; allowed: numbers from 0 to 1",
        ),
        (
            torch.tensor([0.0, -0.5]).view(2, 1, 1, 1).expand(2, 3, 4, 4),
            ("", ""),
            "image 1 of a pool holds -0.5",
        ),
        (torch.full((1, 3, 4, 4), torch.nan), ("",), "image 0 of a pool holds nan"),
        (torch.full((1, 3, 4, 4), torch.inf), ("",), "image 0 of a pool holds inf"),
        (
            torch.zeros(1, 3, 4, 4, dtype=torch.int64),
            ("",),
            "images are torch.int64; allowed: floating-point",
        ),
        ([[0.5]], ("",), "a pool's images are a list; allowed: a torch.Tensor"),
        (torch.zeros(3, 4, 4), ("",), r"shape \(3, 4, 4\); allowed: \(m, 3, s, s\)"),
        (torch.zeros(1, 1, 4, 4), ("",), r"shape \(1, 1, 4, 4\); allowed: \(m, 3, s, s\)"),
        (torch.zeros(0, 3, 4, 4), (), r"shape \(0, 3, 4, 4\); allowed: \(m, 3, s, s\), m from 1"),
        (torch.zeros(2, 3, 4, 4), ("cat",), "2 images and 1 labels; allowed: one label per image"),
        (torch.zeros(3, 3, 4, 4), "cat", "labels are 'cat'; allowed: one str per image"),
        (torch.zeros(2, 3, 4, 4), ("cat", 3), "label 1 of a pool is 3; allowed: a str, empty where unknown"),
    ],
)
def test_a_pool_of_what_is_no_pool_is_refused(images: Any, labels: Any, said: str) -> None:
    with pytest.raises(StartError, match=said):
        Pool(images, labels)


def test_a_search_refuses_what_is_no_pool() -> None:
    recipe, images = preset("reg_free", image_size=16, steps=1), torch.zeros(1, 3, 16, 16)
    pool: Any = images
    with pytest.raises(StartError, match=r"the pool is a Tensor; allowed: a Pool\(images, labels\), or None"):
        invert(built(conv_net()), "conv1", images, recipe, [0], pool=pool)


def test_what_the_rule_needs_is_named() -> None:
    natural = Start("natural", choice="other_class")
    with pytest.raises(
        StartError, match=r"'natural' needs a pool; allowed: give pool=Pool\(images, labels\)"
    ):
        make_start(natural, 32, 0, target=target(0))
    with pytest.raises(StartError, match="the start rule 'target_noise' needs a target"):
        make_start(Start("target_noise"), 32, 0)
    with pytest.raises(StartError, match="the target has no label in the pool"):
        make_start(natural, 32, 0, target=target(3), pool=POOL)
    with pytest.raises(StartError, match="no image of another class than cat; allowed: at least one"):
        make_start(natural, 32, 0, target=target(0), pool=Pool(POOL.images[[0, 2, 3]], ("cat", "cat", "")))
    with pytest.raises(
        StartError, match=r"the pool's images are of shape \(3, 32, 32\); allowed: the target's"
    ):
        make_start(natural, 16, 0, target=photographs(1, 16)[0], pool=POOL)
    assert set(CHOICES) == {"other_class", "nearest", "farthest"}
