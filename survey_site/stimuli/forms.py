"""Forms of the stimuli room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from survey_site.access.models import User
from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, IRIJob, Layer, Queue
from workers.iri.recipe import PRESETS, Recipe, RecipeError, preset


def whole_number(label: str, help_text: str, **options: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, help_text=help_text, widget=UnfoldAdminIntegerFieldWidget, **options
    )


class QueuePairsForm(forms.Form):
    """Recipe, image set and RNG seed for the chosen layers."""

    preset = forms.ChoiceField(
        label="Recipe", choices=[(name, name) for name in PRESETS], widget=UnfoldAdminSelectWidget
    )
    image_size = whole_number("Image size", "Pixels a side; empty: the recipe's own.", required=False)
    steps = whole_number("Steps", "Empty: the recipe's own.", required=False)
    image_set = forms.ModelChoiceField(ImageSet.objects.all(), widget=UnfoldAdminSelectWidget)
    rng_seed = whole_number(
        "RNG seed", "The start images follow from it.", initial=0, min_value=0, max_value=2**63 - 1
    )
    priority = whole_number("Priority", "Higher goes first.", initial=0, min_value=-1000, max_value=1000)
    queue = forms.ChoiceField(
        label="Workers", choices=Queue.choices, initial=Queue.CPU, widget=UnfoldAdminSelectWidget
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        try:
            data["recipe"] = self._recipe(data)
        except RecipeError as error:
            raise forms.ValidationError(str(error)) from error
        return data

    def _recipe(self, data: dict[str, Any]) -> Recipe:
        changes = {name: data[name] for name in ("image_size", "steps") if data.get(name) is not None}
        return preset(data.get("preset", ""), **changes)

    def queue_layers(self, layers: Iterable[Layer], *, created_by: User) -> list[IRIJob]:
        data = self.cleaned_data
        return services.queue_pairs(
            layers=layers,
            recipe=services.save_recipe(data["recipe"], preset=data["preset"]),
            image_set=data["image_set"],
            rng_seed=data["rng_seed"],
            queue=data["queue"],
            priority=data["priority"],
            created_by=created_by,
        )

    @property
    def formulas(self) -> dict[str, str]:
        """What each recipe minimises, shown beside the choice."""
        return {name: recipe.formula() for name, recipe in PRESETS.items()}
