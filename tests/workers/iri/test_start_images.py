import pytest
import torch

from workers.iri.images import from_png, to_png
from workers.iri.recipe import START_RULES, Start
from workers.iri.start_images import make_start


@pytest.mark.parametrize("rule", START_RULES)
def test_a_start_image_is_an_8_bit_image_known_by_its_seed(rule: str) -> None:
    start = make_start(Start(rule), 32, 7)
    assert start.shape == (3, 32, 32)
    assert torch.equal(from_png(to_png(start)), start)
    assert torch.equal(make_start(Start(rule), 32, 7), start)


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
