"""Null distributions: computed once by whichever worker needs one first, then found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from survey_site.stimuli.models import ImageSet, Layer, NullDistribution, StoredImage
from survey_site.stimuli.services.locks import wait_for_turn

FEWEST_IMAGES = 2


@dataclass(frozen=True)
class FoundNull:
    """What a worker computed: how many images and pairs, and by measure quantiles and a histogram."""

    n_images: int
    n_pairs: int
    measures: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=dict)


def find_or_make_null(
    *,
    layer: Layer,
    image_set: ImageSet,
    image_size: int,
    make: Callable[[Sequence[StoredImage]], FoundNull],
) -> NullDistribution | None:
    """The null of the images that the set holds now; `make` computes it if nobody has.

    Whoever needs it meanwhile waits, and finds it. None where the set has no two images.
    """
    images = StoredImage.objects.filter(pk__in=image_set.targets.values("image")).order_by("sha256")
    hashes = [image.sha256 for image in images]
    if len(hashes) < FEWEST_IMAGES:
        return None
    key = {
        "layer": layer,
        "image_set": image_set,
        "image_size": image_size,
        "images_sha256": hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
    }
    return NullDistribution.objects.filter(**key).first() or _make(key, list(images), make)


@transaction.atomic
def _make(
    key: dict[str, Any], images: Sequence[StoredImage], make: Callable[[Sequence[StoredImage]], FoundNull]
) -> NullDistribution:
    wait_for_turn(f"null {key['layer'].pk} {key['image_set'].pk} {key['image_size']} {key['images_sha256']}")
    if made_meanwhile := NullDistribution.objects.filter(**key).first():
        return made_meanwhile
    found = make(images)
    return NullDistribution.objects.create(
        **key,
        n_images=found.n_images,
        n_pairs=found.n_pairs,
        measures=found.measures,
        provenance=found.provenance,
    )
