"""Storing recipes; a stored recipe never changes."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from survey_site.stimuli.models import Recipe
from workers.iri import recipe as iri_recipe

CUSTOM = "custom"


class RecipeRefused(Exception):
    """A recipe that cannot be stored; the message says why."""


def save_recipe(recipe: iri_recipe.Recipe, *, preset: str, name: str = "") -> Recipe:
    """The row of this recipe, found by its hash or made."""
    row, _ = Recipe.objects.get_or_create(
        sha256=recipe.sha256,
        defaults={"name": name or _named(recipe, preset), "preset": preset, "spec": recipe.to_json()},
    )
    return row


def _named(recipe: iri_recipe.Recipe, preset: str) -> str:
    """The preset and its size, and the steps where they are not the preset's."""
    known = iri_recipe.PRESETS.get(preset)
    steps = "" if known and known.steps == recipe.steps else f" {recipe.steps} steps"
    return f"{preset} {recipe.image_size}px{steps}"


@transaction.atomic
def store_recipe(*, recipe: iri_recipe.Recipe, name: str) -> Recipe:
    """Keep a recipe of one's own under a name of its own; RecipeRefused where either is there already."""
    if name in iri_recipe.PRESETS:
        raise RecipeRefused(f"{name!r} is a preset's name; allowed: any other")
    if Recipe.objects.filter(name=name).exists():
        raise RecipeRefused(f"there is a recipe {name!r} already; allowed: another name")
    same = Recipe.objects.filter(sha256=recipe.sha256).first()
    if same:
        raise RecipeRefused(f"this recipe is stored already, as {same.name!r}")
    return Recipe.objects.create(name=name, preset=CUSTOM, spec=recipe.to_json(), sha256=recipe.sha256)


def with_changes(
    recipe: iri_recipe.Recipe, *, image_size: int | None, steps: int | None
) -> iri_recipe.Recipe:
    """The recipe at another image size or with other steps. Raises RecipeError for what is not allowed."""
    return replace(
        recipe,
        image_size=recipe.image_size if image_size is None else image_size,
        steps=recipe.steps if steps is None else steps,
    )


def changed_recipe(row: Recipe, *, image_size: int | None, steps: int | None) -> Recipe:
    """The stored recipe with other size or steps, stored beside it; itself where nothing changes."""
    recipe = with_changes(row.load(), image_size=image_size, steps=steps)
    words = [("" if image_size is None else f"{image_size}px"), ("" if steps is None else f"{steps} steps")]
    name = " ".join([row.name, *filter(None, words)])
    return save_recipe(recipe, preset=row.preset, name=name[:120])
