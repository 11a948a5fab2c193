"""Forms of the stimuli room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from survey_site.access.models import User
from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, IRIJob, Layer, MinMemory, Queue, Recipe
from workers.iri.recipe import PRESETS, RecipeError, preset

STORED = "stored:"


def whole_number(label: str, help_text: str, **options: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, help_text=help_text, widget=UnfoldAdminIntegerFieldWidget, **options
    )


def recipe_choices() -> list[Any]:
    """The presets by name, and stored recipes by their keys."""
    presets = [(name, name) for name in PRESETS]
    stored = [(f"{STORED}{row.pk}", row.name) for row in Recipe.objects.all()]
    return [("Presets", presets), ("Stored recipes", stored)] if stored else presets


class QueuePairsForm(forms.Form):
    """Recipe, image set and RNG seed for the chosen layers."""

    preset = forms.ChoiceField(label="Recipe", choices=recipe_choices, widget=UnfoldAdminSelectWidget)
    image_size = whole_number("Image size", "Pixels a side; empty: the recipe's own.", required=False)
    steps = whole_number("Steps", "Empty: the recipe's own.", required=False)
    image_set = forms.ModelChoiceField(ImageSet.objects.none(), widget=UnfoldAdminSelectWidget)
    rng_seed = whole_number(
        "RNG seed", "The start images follow from it.", initial=0, min_value=0, max_value=2**63 - 1
    )
    priority = whole_number("Priority", "Higher goes first.", initial=0, min_value=-1000, max_value=1000)
    queue = forms.ChoiceField(
        label="Workers", choices=Queue.choices, initial=Queue.CPU, widget=UnfoldAdminSelectWidget
    )

    min_memory_gib = forms.TypedChoiceField(
        label="Device memory",
        help_text="Only workers whose device has at least so much take the chunks.",
        choices=MinMemory.choices,
        coerce=int,
        initial=MinMemory.ANY,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        """`user` is offered the image sets that are shared with them."""
        super().__init__(*args, **options)
        sets: Any = self.fields["image_set"]
        sets.queryset = ImageSet.objects.visible_to(user)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "preset" not in data:
            return data
        try:
            self._check_recipe(data)
        except RecipeError as error:
            raise forms.ValidationError(str(error)) from error
        return data

    def _check_recipe(self, data: dict[str, Any]) -> None:
        """Raises RecipeError where the chosen recipe can't have the size and steps asked for."""
        stored, sizes = self._stored(data), self._sizes(data)
        recipe = stored.load() if stored else PRESETS[data["preset"]]
        services.with_changes(recipe, **sizes)

    def _stored(self, data: dict[str, Any]) -> Recipe | None:
        key = data["preset"]
        return Recipe.objects.get(pk=key.removeprefix(STORED)) if key.startswith(STORED) else None

    def _sizes(self, data: dict[str, Any]) -> dict[str, int | None]:
        return {name: data.get(name) for name in ("image_size", "steps")}

    def _recipe_row(self) -> Recipe:
        """The recipe chosen, with the size and steps asked for; stored where it is new."""
        data, sizes = self.cleaned_data, self._sizes(self.cleaned_data)
        stored = self._stored(data)
        if stored:
            return services.changed_recipe(stored, **sizes)
        changes = {name: value for name, value in sizes.items() if value is not None}
        return services.save_recipe(preset(data["preset"], **changes), preset=data["preset"])

    def queue_layers(self, layers: Iterable[Layer], *, created_by: User) -> list[IRIJob]:
        data = self.cleaned_data
        return services.queue_pairs(
            layers=layers,
            recipe=self._recipe_row(),
            image_set=data["image_set"],
            rng_seed=data["rng_seed"],
            queue=data["queue"],
            min_memory_gib=data["min_memory_gib"] or MinMemory.ANY,
            priority=data["priority"],
            created_by=created_by,
        )

    @property
    def formulas(self) -> dict[str, str]:
        """What each recipe minimises, shown beside the choice."""
        stored = {row.name: row.load() for row in Recipe.objects.all()}
        return {name: recipe.formula() for name, recipe in (stored | dict(PRESETS)).items()}
