import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.workers.iri.tiny import ChannelMeans, built, conv_net, photographs
from workers.iri.devices import DeviceError
from workers.iri.extractor import LayerNotFound
from workers.iri.nulls import Null, null_distribution
from workers.iri.quality import Label, MeasureError, Quality, measure, plateau
from workers.iri.recipe import Passing
from workers.iri.sizes import SizeRefused

ALONE = Passing(null_quantile=None)


def plain(*colour: float) -> Tensor:
    """One image of one colour."""
    return torch.tensor(colour, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, 16, 16).contiguous()


def quality(image: Tensor, target: Tensor, passing: Passing = ALONE, null: Null | None = None) -> Quality:
    return measure(built(ChannelMeans(), labels=("red", "green")), "pool", image, target, passing, null=null)[
        0
    ]


def test_the_measures_are_those_worked_out_by_hand() -> None:
    # g is the mean colour: (.5, .25, .5) against (.5, .25, 1); their norms are .75 and sqrt(1.3125).
    found = quality(plain(0.5, 0.25, 0.5), plain(0.5, 0.25, 1.0))
    assert found.relative_error == pytest.approx(0.5 / math.sqrt(1.3125))
    assert found.cosine == pytest.approx((0.25 + 0.0625 + 0.5) / (0.75 * math.sqrt(1.3125)))
    assert found.similarity.snr_db == pytest.approx(10 * math.log10(1.3125 / 0.25))
    assert found.similarity.spearman == pytest.approx(math.sqrt(3) / 2)  # of ranks (2.5, 1, 2.5), (2, 1, 3)
    assert found.pearson == pytest.approx(12 / math.sqrt(6 * 42))  # of (1, -2, 1) and (-1, -4, 5)
    assert found.clip_fraction == 0
    assert (found.target_label, found.iri_label) == (Label(0, "red"), Label(0, "red"))
    assert found.is_finite


def test_the_target_itself_matches_and_passes() -> None:
    found = quality(plain(0.5, 0.25, 0.5), plain(0.5, 0.25, 0.5))
    assert (found.relative_error, found.passed, found.reason) == (0.0, True, "")
    assert found.cosine == pytest.approx(1)


def test_an_error_above_the_recipe_s_limit_fails_with_the_reason() -> None:
    found = quality(plain(0.5, 0.25, 0.5), plain(0.5, 0.25, 1.0), Passing(0.4, null_quantile=None))
    assert (found.passed, found.reason) == (False, "relative error 0.436 is above 0.4")
    assert quality(plain(0.5, 0.25, 0.5), plain(0.5, 0.25, 1.0), Passing(0.5, null_quantile=None)).passed


def test_another_label_fails_where_the_recipe_asks_for_the_same() -> None:
    image, target = plain(0.5, 0.52, 0.5), plain(0.52, 0.5, 0.5)
    found = quality(image, target, Passing(same_label=True, null_quantile=None))
    assert found.reason == "the network's label is green, the target's red"
    assert not found.same_label
    assert quality(image, target, Passing(same_label=False, null_quantile=None)).passed
    unnamed = measure(
        built(ChannelMeans()), "pool", image, target, Passing(same_label=True, null_quantile=None)
    )[0]
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


def four_colours() -> Null:
    """The six pairs of four plain images."""
    colours = [plain(0.1, 0.5, 0.9), plain(0.9, 0.4, 0.2), plain(0.5, 0.6, 0.1), plain(0.3, 0.3, 0.6)]
    return null_distribution(built(ChannelMeans()), "pool", 4, lambda index: colours[index][0])


def test_an_image_must_be_closer_than_natural_images_are_to_one_another() -> None:
    passing, null = Passing(same_label=False), four_colours()
    near = quality(plain(0.1, 0.5, 0.89), plain(0.1, 0.5, 0.9), passing, null)
    assert (near.passed, near.reason) == (True, "")
    far = quality(plain(0.9, 0.4, 0.2), plain(0.1, 0.5, 0.9), passing, null)
    assert far.reason.startswith("relative error 1.0")
    for name in ("relative error", "cosine", "Pearson correlation", "Spearman correlation", "SNR in dB"):
        assert f"{name} " in far.reason
    assert "the least of 6 pairs of natural images; cosine" in far.reason
    assert far.reason.endswith("the greatest of 6 pairs of natural images")


def test_without_a_null_a_recipe_that_compares_with_it_does_not_pass() -> None:
    found = quality(plain(0.5, 0.5, 0.4), plain(0.5, 0.5, 0.4), Passing())
    assert found.reason == "no null distribution was given to compare with"


def test_every_reason_is_given() -> None:
    found = quality(plain(0.5, 0.52, 0.5), plain(0.52, 0.5, 0.5), Passing(0.01, null_quantile=None))
    assert found.reason == (
        "relative error 0.032 is above 0.01; the network's label is green, the target's red"
    )


def test_a_network_without_classes_is_not_asked_for_labels() -> None:
    network = replace(built(ChannelMeans()), has_classes=False)
    (found,) = measure(network, "pool", plain(0.5, 0.52, 0.5), plain(0.52, 0.5, 0.5), ALONE)
    assert (found.target_label, found.iri_label, found.same_label, found.passed) == (None, None, None, True)


def test_later_layers_are_measured_too() -> None:
    network, image, target = built(conv_net()), photographs(2)[:1], photographs(2)[1:]
    (found,) = measure(network, "conv1", image, target, ALONE, later=("norm2", "relu_1", "head"))
    assert list(found.later) == ["norm2", "relu_1", "head"]
    for layer, similarity in found.later.items():
        (alone,) = measure(network, layer, image, target, ALONE)
        assert similarity == alone.similarity


def test_the_distance_moved_is_the_root_mean_square_of_the_change() -> None:
    image = plain(0.5, 0.5, 0.5)
    (found,) = measure(built(ChannelMeans()), "pool", image, image, ALONE, starts=plain(0.5, 0.9, 0.2))
    assert found.distance_moved == pytest.approx(math.sqrt((0.4**2 + 0.3**2) / 3))
    assert quality(image, image).distance_moved is None


def test_more_images_than_one_pass_takes() -> None:
    images, targets = photographs(19), photographs(20)[1:]
    rows = measure(built(conv_net()), "norm2", images, targets, ALONE)
    alone = [
        measure(built(conv_net()), "norm2", images[one, None], targets[one, None], ALONE) for one in (0, 18)
    ]
    assert len(rows) == 19
    assert [rows[0].cosine, rows[18].cosine] == pytest.approx([one[0].cosine for one in alone], abs=1e-6)


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        ([(0, 1.0), (90, 0.5), (100, 0.4)], 0.2),
        ([(0, 1.0), (90, 0.5), (95, 0.7), (100, 0.6)], 0.0),
        ([(0, 1.0), (50, 0.3), (90, 0.5), (100, 0.3)], 0.0),
        ([(0, 1.0), (1, math.nan)], None),
        ([(0, 1.0), (3, 0.5), (4, math.inf)], 0.5),
        ([(0, 0.0), (1, 0.0)], 0.0),
        ([], None),
    ],
)
def test_the_plateau_is_the_fall_of_the_least_error_in_the_last_tenth(
    trace: list[tuple[int, float]], expected: float | None
) -> None:
    assert plateau(trace) == (None if expected is None else pytest.approx(expected))


def test_another_layer_s_or_network_s_null_is_refused() -> None:
    images = photographs(4)
    network = built(conv_net())
    null = null_distribution(network, "pool", 4, images.__getitem__)
    assert measure(network, "pool", images, images, null=null)[0].passed
    with pytest.raises(MeasureError, match="null is of layer 'pool'; allowed: that of 'head'"):
        measure(network, "head", images, images, null=null)
    with pytest.raises(MeasureError, match=r"null is of a network with weights .*; allowed"):
        measure(built(ChannelMeans()), "pool", images, images, null=null)


def test_a_perfect_match_passes_where_natural_images_match_as_well() -> None:
    image = plain(0.1, 0.5, 0.9)
    null = null_distribution(built(ChannelMeans()), "pool", 3, lambda index: plain(0.2 * index, 0.5, 0.9)[0])
    assert null.limit("spearman", 0.99) == pytest.approx(1)
    assert quality(image, image, Passing(), null).passed
    twins = null_distribution(
        built(ChannelMeans()), "pool", 3, lambda index: plain(0.2 * (index // 2), 0.5, 0.9)[0]
    )
    assert twins.limit("relative_error", 0.99) == 0
    assert quality(image, image, Passing(), twins).passed


def test_a_layer_that_responds_to_all_images_alike_matches_nothing() -> None:
    class Constant(ChannelMeans):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(0 * images + 1)

    images, network = photographs(3), built(Constant())
    null = null_distribution(network, "pool", 3, images.__getitem__)
    (found,) = measure(network, "pool", images[:1], images[1:2], null=null)
    assert found.reason == "the layer responds to all natural images alike, so that a match says nothing"


class OfThirtyTwo(ChannelMeans):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.reshape(len(images), 3, 32, 32))


def test_a_size_that_the_network_cannot_take_is_refused() -> None:
    images, message = photographs(2), "the network can't take images of 16 × 16 pixels .* it takes 32"
    with pytest.raises(SizeRefused, match=message):
        measure(built(OfThirtyTwo()), "pool", images, images)
    with pytest.raises(SizeRefused, match=message):
        null_distribution(built(OfThirtyTwo()), "pool", 2, images.__getitem__)
    wide = torch.rand(2, 3, 32, 48)
    with pytest.raises(SizeRefused, match="images of 32 × 48 pixels"):
        measure(built(OfThirtyTwo()), "pool", wide, wide)


def test_a_network_that_gives_no_logits_is_named() -> None:
    class Both(ChannelMeans):
        def forward(self, images: Tensor) -> Any:
            return super().forward(images), images

    with pytest.raises(MeasureError, match=r"the network gives a builtins.tuple; allowed: logits"):
        measure(built(Both()), "pool", photographs(1), photographs(1))


def test_numbers_of_other_precision_are_taken() -> None:
    images, targets, network = photographs(2), photographs(2).flip(0), built(conv_net())
    expected = measure(network, "pool", images, targets)
    assert measure(network, "pool", images.double(), targets.double()) == expected
    half = measure(network, "pool", images.half(), targets.half())
    assert half[0].relative_error == pytest.approx(expected[0].relative_error, rel=0.1)


def test_the_device_is_named_where_it_cannot_be() -> None:
    images = photographs(2)
    assert measure(built(conv_net()), "pool", images, images, device="cpu")
    with pytest.raises(DeviceError, match="device is 'tpu'"):
        measure(built(conv_net()), "pool", images, images, device="tpu")
    with pytest.raises(DeviceError, match="device is 'tpu'"):
        null_distribution(built(conv_net()), "pool", 2, images.__getitem__, device="tpu")
