import math

import pytest
import torch
from torch import Tensor

from tests.workers.iri.tiny import ChannelMeans, built
from workers.iri.extractor import LayerNotFound
from workers.iri.quality import Label, Quality, measure
from workers.iri.recipe import Passing


def plain(*colour: float) -> Tensor:
    """One image of one colour."""
    return torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 16, 16).contiguous()


def quality(image: Tensor, target: Tensor, passing: Passing | None = None) -> Quality:
    return measure(built(ChannelMeans(), labels=("red", "green")), "pool", image, target, passing)[0]


def test_the_measures_are_those_worked_out_by_hand() -> None:
    # g is the mean colour: (.5, .25, .5) against (.5, .25, 1); their norms are .75 and sqrt(1.3125).
    found = quality(plain(0.5, 0.25, 0.5), plain(0.5, 0.25, 1.0))
    assert found.relative_error == pytest.approx(0.5 / math.sqrt(1.3125))
    assert found.cosine == pytest.approx((0.25 + 0.0625 + 0.5) / (0.75 * math.sqrt(1.3125)))
    assert found.pearson == pytest.approx(12 / math.sqrt(6 * 42))  # of (1, -2, 1) and (-1, -4, 5)
    assert found.clip_fraction == 0
    assert (found.target_label, found.iri_label) == (Label(0, "red"), Label(0, "red"))
    assert found.is_finite


def test_the_target_itself_matches_and_passes() -> None:
    found = quality(plain(0.5, 0.25, 0.5), plain(0.5, 0.25, 0.5))
    assert (found.relative_error, found.passed, found.reason) == (0.0, True, "")
    assert found.cosine == pytest.approx(1)


def test_an_error_above_the_recipe_s_limit_fails_with_the_reason() -> None:
    found = quality(plain(0.5, 0.25, 0.5), plain(0.5, 0.25, 1.0), Passing(max_relative_error=0.4))
    assert (found.passed, found.reason) == (False, "relative error 0.436 is above 0.4")
    assert quality(plain(0.5, 0.25, 0.5), plain(0.5, 0.25, 1.0), Passing(max_relative_error=0.5)).passed


def test_another_label_fails_where_the_recipe_asks_for_the_same() -> None:
    image, target = plain(0.5, 0.52, 0.5), plain(0.52, 0.5, 0.5)
    found = quality(image, target, Passing(same_label=True))
    assert found.reason == "the network's label is green, the target's red"
    assert not found.same_label
    assert quality(image, target, Passing(same_label=False)).passed
    unnamed = measure(built(ChannelMeans()), "pool", image, target, Passing(same_label=True))[0]
    assert unnamed.reason == "the network's label is class 1, the target's class 0"


def test_a_target_without_a_response_is_not_finite_and_fails() -> None:
    found = quality(plain(0.5, 0.5, 0.5), plain(0, 0, 0))
    assert not found.is_finite
    assert found.reason == "the layer's responses are not finite, or its response to the target is zero"


def test_clipping_is_counted_over_all_colour_values() -> None:
    assert quality(plain(0, 0.5, 1), plain(0.5, 0.5, 0.5)).clip_fraction == pytest.approx(2 / 3)


def test_every_image_has_its_own_row() -> None:
    images = torch.cat([plain(0.5, 0.5, 0.5), plain(0.25, 0.5, 0.5)])
    rows = measure(built(ChannelMeans()), "pool", images, plain(0.5, 0.5, 0.5).expand(2, -1, -1, -1))
    assert rows[0].relative_error == 0
    assert rows[1].relative_error == pytest.approx(0.25 / math.sqrt(0.75))


def test_an_unknown_layer_is_named() -> None:
    with pytest.raises(LayerNotFound, match="no layer 'pol'; nearest: pool"):
        measure(built(ChannelMeans()), "pol", plain(0, 0, 0), plain(0, 0, 0))
