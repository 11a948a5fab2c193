"""A null distribution is computed once, whoever asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import IntegrityError, connection

from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, Layer, NullDistribution, StoredImage
from tests.builders import add_images, image_set, layer, network

pytestmark = pytest.mark.django_db

FACTS: dict[str, Any] = {
    "cosine": {"n": 6, "quantiles": {"0.5": 0.2}, "low": 0.1, "high": 0.3, "counts": [6]}
}


class Maker:
    """Counts how often it is asked."""

    def __init__(self, seconds: float = 0) -> None:
        self.asked: list[Sequence[StoredImage]] = []
        self._seconds = seconds

    def __call__(self, images: Sequence[StoredImage]) -> services.FoundNull:
        self.asked.append(images)
        time.sleep(self._seconds)
        count = len(images)
        return services.FoundNull(count, count * (count - 1) // 2, FACTS, {"torch": "2.13.0"})


def null(of: Layer, images: ImageSet, make: Maker, *, size: int = 96) -> NullDistribution | None:
    return services.find_or_make_null(layer=of, image_set=images, image_size=size, make=make)


def test_it_is_made_once_and_found_after() -> None:
    pair, photos, make = layer(network()), image_set(4), Maker()
    made = null(pair, photos, make)
    assert made is not None
    assert (made.n_images, made.n_pairs, made.measures, made.provenance) == (4, 6, FACTS, {"torch": "2.13.0"})
    assert null(pair, photos, make) == made
    assert len(make.asked) == 1
    assert [image.sha256 for image in make.asked[0]] == sorted(image.sha256 for image in make.asked[0])


def test_another_layer_size_or_set_has_its_own() -> None:
    net, photos, make = network(), image_set(3), Maker()
    for pair, images, size in (
        (layer(net), photos, 96),
        (layer(net, "conv"), photos, 96),
        (layer(net), photos, 128),
        (layer(net), image_set(2, slug="others"), 96),
    ):
        null(pair, images, make, size=size)
    assert len(make.asked) == NullDistribution.objects.count() == 4


def test_a_set_that_grew_has_another_and_the_old_one_stays() -> None:
    pair, photos, make = layer(network()), image_set(3), Maker()
    old = null(pair, photos, make)
    add_images(photos, [77])
    new = null(pair, photos, make)
    assert old is not None
    assert new is not None
    assert (old.n_images, new.n_images) == (3, 4)
    assert NullDistribution.objects.count() == 2


def test_one_image_has_no_pairs() -> None:
    make = Maker()
    assert null(layer(network()), image_set(1), make) is None
    assert make.asked == []


def test_what_fails_leaves_nothing_behind() -> None:
    pair, photos = layer(network()), image_set(3)

    def fail(images: Sequence[StoredImage]) -> services.FoundNull:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        services.find_or_make_null(layer=pair, image_set=photos, image_size=96, make=fail)
    assert not NullDistribution.objects.exists()
    assert null(pair, photos, Maker()) is not None


@pytest.mark.django_db(transaction=True)
def test_workers_who_need_it_at_once_wait_for_the_one_who_makes_it() -> None:
    pair, photos, make = layer(network()), image_set(4), Maker(seconds=0.3)
    found: list[NullDistribution | None] = []

    def ask() -> None:
        try:
            found.append(null(pair, photos, make))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(make.asked) == 1
    assert len(found) == 4
    assert len({one.pk for one in found if one}) == 1


def test_the_database_holds_one_row_of_a_kind() -> None:
    pair, photos = layer(network()), image_set(2)
    made = null(pair, photos, Maker())
    assert made is not None
    made.pk = None
    with pytest.raises(IntegrityError):
        made.save(force_insert=True)
