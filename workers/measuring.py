"""Measures what a search found, on the PNGs that people will see, against what natural images reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from torch import Tensor

from survey_site.stimuli import services
from survey_site.stimuli.models import IRIJob, NullDistribution, StoredImage
from workers.iri.images import from_png
from workers.iri.inversion import InversionStopped
from workers.iri.networks import BuiltNetwork
from workers.iri.nulls import Null, null_distribution
from workers.iri.provenance import provenance
from workers.iri.quality import Label, Quality, measure, plateau
from workers.iri.recipe import Recipe
from workers.iri.similarity import MEASURES
from workers.stored_images import is_readable, pixels_of

# Later layers measured beside the matched one.
MOST_LATER_LAYERS = 24

Trace = Sequence[tuple[int, float]]


class Measurer:
    """Measures the IRIs of a job; the null is found, or computed, when the first of them is.

    `network`: measures where it is (BuiltNetwork.on). `should_stop` is asked while the null is computed.
    """

    def __init__(
        self, job: IRIJob, recipe: Recipe, network: BuiltNetwork, should_stop: Callable[[], bool]
    ) -> None:
        self._job, self._recipe, self._network, self._should_stop = job, recipe, network, should_stop

    def measured(self, *, image: bytes, start: bytes, target: bytes, trace: Trace) -> dict[str, Any]:
        """The measured fields of services.FoundIRI, from the PNGs of image, start image and target.

        Raises InversionStopped where told to stop.
        """
        row, null = self._null
        (quality,) = measure(
            self._network,
            self._job.layer.name,
            from_png(image)[None],
            from_png(target)[None],
            self._recipe.passing,
            null=null,
            starts=from_png(start)[None],
            later=self._later,
            device=self._network.device,
        )
        return {**_fields(quality, trace, _limits(self._recipe, null)), "null": row}

    @cached_property
    def _later(self) -> list[str]:
        return later_layers(self._job)

    @cached_property
    def _null(self) -> tuple[NullDistribution | None, Null | None]:
        if self._recipe.passing.null_quantile is None:
            return None, None
        row = services.find_or_make_null(
            layer=self._job.layer,
            image_set=self._job.image_set,
            image_size=self._recipe.image_size,
            make=self._make_null,
        )
        if row is None:
            return None, None
        return row, Null.from_json(
            row.n_images,
            row.n_pairs,
            row.measures,
            layer=self._job.layer.name,
            weights_sha256=self._network.weights_sha256,
        )

    def _make_null(self, images: Sequence[StoredImage]) -> services.FoundNull:
        """Of the images that can be read; an unreadable one is not worth the IRIs of the others."""
        size = self._recipe.image_size
        images = [image for image in images if is_readable(image, size)]

        def load(index: int) -> Tensor:
            return pixels_of(images[index], size)

        try:
            null = null_distribution(
                self._network,
                self._job.layer.name,
                len(images),
                load,
                should_stop=self._should_stop,
                device=self._network.device,
            )
        except InterruptedError as error:
            raise InversionStopped(str(error)) from error
        made = dict(provenance(self._network.device))
        return services.FoundNull(null.n_images, null.n_pairs, null.to_json(), made)


def later_layers(job: IRIJob) -> list[str]:
    """Blocks, pooled features and logits after the matched layer: all, or MOST_LATER_LAYERS evenly spread."""
    layer = job.layer
    later = layer.network.layers.filter(depth__gt=layer.depth).exclude(role="").order_by("depth")
    names = list(later.values_list("name", flat=True))
    if len(names) <= MOST_LATER_LAYERS:
        return names
    stride = (len(names) - 1) / (MOST_LATER_LAYERS - 1)
    return [names[round(place * stride)] for place in range(MOST_LATER_LAYERS)]


def _limits(recipe: Recipe, null: Null | None) -> dict[str, float | None]:
    """What had to be beaten on each measure."""
    quantile = recipe.passing.null_quantile
    if null is None or quantile is None:
        return {}
    return {name: null.limit(name, quantile) for name in MEASURES}


def _fields(quality: Quality, trace: Trace, limits: dict[str, float | None]) -> dict[str, Any]:
    similarity = quality.similarity.to_json()
    return {
        "relative_error": similarity.pop("relative_error"),
        "cosine": similarity.pop("cosine"),
        "target_label": _spelled(quality.target_label),
        "iri_label": _spelled(quality.iri_label),
        "same_label": quality.same_label,
        "passed": quality.passed,
        "passed_reason": quality.reason,
        "measures": {
            **similarity,
            "clip_fraction": quality.clip_fraction,
            "distance_moved": quality.distance_moved,
            "plateau": plateau(trace),
            "limits": limits,
            # A list, since PostgreSQL puts the keys of an object in an order of its own.
            "later": [{"layer": name, **one.to_json()} for name, one in quality.later.items()],
        },
    }


def _spelled(label: Label | None) -> str:
    return "" if label is None else str(label)
