"""What conditions can be made of: pairs with recipe, image set and seed whose IRIs are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Aggregate, Count, F, FloatField, Q, Window
from django.db.models.functions import RowNumber

from survey_site.access.models import User
from survey_site.stimuli.models import IRI, ImageSet, IRIStatus, Layer, Recipe

THUMBNAILS = 3
GROUP = ("layer", "recipe", "target__image_set", "job__rng_seed")


class Median(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True)
class FinishedPair:
    """IRIs of one pair, recipe, image set and seed: `n` in all, `done` found, `passed` their quality check.

    `median_error` is the found ones' relative error; `shown` are the first of them, with their images.
    """

    layer: Layer
    recipe: Recipe
    image_set: ImageSet
    iri_seed: int
    n: int
    done: int
    passed: int
    median_error: float | None
    shown: tuple[IRI, ...]

    @property
    def key(self) -> str:
        """Names it in a form; see `parse_key`."""
        return f"{self.layer.pk}-{self.recipe.pk}-{self.image_set.pk}-{self.iri_seed}"

    @property
    def is_whole(self) -> bool:
        """None is queued, under way or failed, so that a condition of it can open."""
        return self.done == self.n


def parse_key(key: str) -> dict[str, int] | None:
    """The ids that `FinishedPair.key` names, as fields of a condition; None if it names none."""
    parts = key.split("-", 3)
    try:
        ids = [int(part) for part in parts]
    except ValueError:
        return None
    if len(ids) != len(GROUP) or max(map(abs, ids)) >= 2**63:
        return None
    return dict(zip(("layer_id", "recipe_id", "image_set_id", "iri_seed"), ids, strict=True))


def finished_pairs(user: User, *, wanted: str = "", most: int) -> tuple[list[FinishedPair], int]:
    """Those with any found IRI of networks and sets that `user` sees, and how many there are in all.

    `wanted`: words that network, layer, recipe or set must hold.
    """
    visible = IRI.objects.visible_to(user)
    for word in wanted.split():
        visible = visible.filter(_holds(word))
    found = Q(status=IRIStatus.DONE)
    groups = (
        visible.order_by()
        .values(*GROUP)
        .annotate(
            n=Count("pk"),
            done=Count("pk", filter=found),
            n_passed=Count("pk", filter=found & Q(passed=True)),
            error=Median("relative_error", filter=found),
        )
        .filter(done__gt=0)
    )
    in_order = groups.order_by(
        "layer__network__name", "layer__network", "layer__depth", "recipe__name", *GROUP
    )
    rows = list(in_order[:most])
    return _with_objects(rows), groups.count()


def _holds(word: str) -> Q:
    return (
        Q(layer__network__name__icontains=word)
        | Q(layer__name__icontains=word)
        | Q(recipe__name__icontains=word)
        | Q(target__image_set__name__icontains=word)
    )


def _with_objects(rows: list[dict[str, Any]]) -> list[FinishedPair]:
    """Three queries for all rows, and one for the images."""
    layers = Layer.objects.select_related("network").in_bulk({row["layer"] for row in rows})
    recipes = Recipe.objects.in_bulk({row["recipe"] for row in rows})
    sets = ImageSet.objects.in_bulk({row["target__image_set"] for row in rows})
    shown = _first_of_each(rows)
    return [
        FinishedPair(
            layer=layers[row["layer"]],
            recipe=recipes[row["recipe"]],
            image_set=sets[row["target__image_set"]],
            iri_seed=row["job__rng_seed"],
            n=row["n"],
            done=row["done"],
            passed=row["n_passed"],
            median_error=row["error"],
            shown=tuple(shown.get(tuple(row[name] for name in GROUP), [])),
        )
        for row in rows
    ]


def _first_of_each(rows: list[dict[str, Any]]) -> dict[tuple[int, ...], list[IRI]]:
    place = Window(RowNumber(), partition_by=[F(name) for name in GROUP], order_by=["target__name", "pk"])
    first = (
        IRI.objects.done()
        .filter(layer__in={row["layer"] for row in rows}, recipe__in={row["recipe"] for row in rows})
        .annotate(place=place)
        .filter(place__lte=THUMBNAILS)
        .select_related("job", "target")
        .order_by("target__name", "pk")
    )
    found: dict[tuple[int, ...], list[IRI]] = {}
    for iri in first:
        key = (iri.layer_id, iri.recipe_id, iri.target.image_set_id, iri.job.rng_seed)
        found.setdefault(key, []).append(iri)
    return found
