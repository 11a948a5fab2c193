"""What natural images reach, against the same pairs by numpy."""

import itertools
import json

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.workers.iri.tiny import ChannelMeans, built, conv_net, photographs
from workers.iri import nulls
from workers.iri.extractor import respond
from workers.iri.nulls import PROBABILITIES, Null, is_closer, null_distribution
from workers.iri.similarity import MEASURES, similarities


def test_of_few_images_every_pair_is_taken_once() -> None:
    images = photographs(8)
    null = null_distribution(built(conv_net()), "norm2", 8, images.__getitem__)
    assert (null.n_images, null.n_pairs) == (8, 28)
    given = respond(conv_net(), "norm2", images)
    pairs = list(itertools.combinations(range(8), 2))
    first, second = ([pair[place] for pair in pairs] for place in (0, 1))
    found = similarities(given[first], given[second])
    for name in ("cosine", "pearson", "spearman"):  # the same both ways
        values = [getattr(one, name) for one in found]
        distribution = null.distributions[name]
        assert distribution.quantiles == pytest.approx(np.quantile(values, PROBABILITIES), abs=1e-6), name
        assert distribution.n == 28
        counts, _ = np.histogram(values, bins=nulls.BINS, range=(min(values), max(values)))
        assert sum(distribution.counts) == 28
        assert np.abs(np.cumsum(counts) - np.cumsum(distribution.counts)).max() <= 1


def test_the_error_of_a_pair_is_that_of_one_of_its_directions() -> None:
    images = photographs(2)
    null = null_distribution(built(conv_net()), "norm2", 2, images.__getitem__)
    given = respond(conv_net(), "norm2", images)
    both = [similarities(given[[one]], given[[1 - one]])[0].relative_error for one in (0, 1)]
    assert null.n_pairs == 1
    assert any(null.distributions["relative_error"].low == pytest.approx(one) for one in both)


def test_blocks_meet_so_that_every_pair_is_still_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for four images at a time gives the same as memory for all."""
    images = photographs(11)
    whole = null_distribution(built(conv_net()), "norm2", 11, images.__getitem__)
    monkeypatch.setattr(nulls, "_MEMORY_BYTES", 4 * 6 * 8 * 8 * nulls._BYTES_PER_NUMBER)
    in_blocks = null_distribution(built(conv_net()), "norm2", 11, images.__getitem__)
    assert whole.n_pairs == in_blocks.n_pairs == 55
    for name in ("cosine", "spearman"):
        expected = whole.distributions[name].quantiles
        assert in_blocks.distributions[name].quantiles == pytest.approx(expected, abs=1e-6)


def test_of_many_images_as_many_pairs_as_are_asked_for() -> None:
    loaded = set()

    def load(index: int) -> Tensor:
        loaded.add(index)
        return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(index))

    network = built(ChannelMeans())
    null = null_distribution(network, "pool", 150, load, pairs=1000)
    assert 1000 <= null.n_pairs < 1150
    again = null_distribution(network, "pool", 150, load, pairs=1000)
    other = null_distribution(network, "pool", 150, load, pairs=1000, seed=1)
    assert null == again
    assert null != other


def test_ten_thousand_pairs_where_the_set_allows() -> None:
    images = torch.rand(150, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    null = null_distribution(built(ChannelMeans()), "pool", 150, images.__getitem__)
    assert null.n_pairs >= 10_000
    assert not null.is_too_small(0.999)


def test_limits_are_the_quantiles_on_the_side_of_the_match() -> None:
    images = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    null = null_distribution(built(conv_net()), "norm2", 40, images.__getitem__)
    assert null.n_pairs == 780
    errors, cosines = (null.distributions[name].quantiles for name in ("relative_error", "cosine"))
    assert null.limit("relative_error", 0.99) == errors[PROBABILITIES.index(0.01)]
    assert null.limit("cosine", 0.99) == cosines[PROBABILITIES.index(0.99)]
    # 780 pairs have no 99.9 % quantile: the closest pair of all
    assert null.is_too_small(0.999)
    assert null.limit("relative_error", 0.999) == errors[0]
    assert null.limit("cosine", 0.999) == cosines[-1]


def test_a_measure_that_is_never_defined_has_no_limit() -> None:
    class Lightness(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flat = torch.nn.Flatten()

        def forward(self, images: Tensor) -> Tensor:
            return self.flat(images.mean(dim=(1, 2, 3))[:, None])

    null = null_distribution(built(Lightness()), "flat", 4, photographs(4).__getitem__)
    assert "pearson" not in null.distributions
    assert null.limit("pearson", 0.99) is None
    assert null.limit("relative_error", 0.99) is not None


def test_what_is_not_a_number_beats_nothing() -> None:
    assert is_closer("relative_error", 0.1, 0.2)
    assert not is_closer("relative_error", 0.2, 0.2)
    assert is_closer("cosine", 0.3, 0.2)
    assert not is_closer("cosine", float("nan"), 0.2)


def test_it_goes_through_json() -> None:
    null = null_distribution(built(conv_net()), "norm2", 5, photographs(5).__getitem__)
    text = json.dumps(null.to_json(), allow_nan=False)
    again = Null.from_json(5, 10, json.loads(text), layer=null.layer, weights_sha256=null.weights_sha256)
    assert again == null
    assert set(again.distributions) == set(MEASURES)


def test_one_image_has_no_pairs() -> None:
    with pytest.raises(ValueError, match="n_images is 1; allowed: whole numbers from 2"):
        null_distribution(built(conv_net()), "norm2", 1, photographs(1).__getitem__)


def test_it_can_be_stopped() -> None:
    with pytest.raises(InterruptedError):
        null_distribution(built(conv_net()), "norm2", 4, photographs(4).__getitem__, should_stop=lambda: True)
