"""The form that makes a recipe of one's own from its pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from survey_site.stimuli import models as rows
from survey_site.stimuli import services
from workers.iri.recipe import (
    CHOICES,
    DISTANCES,
    KEEPS,
    NULL_QUANTILES,
    OPTIMIZERS,
    PARAMETRIZATIONS,
    SCHEDULES,
    START_RULES,
    TRUNKS,
    Optimizer,
    Passing,
    Recipe,
    RecipeError,
    Start,
    Term,
    Transform,
)


def number(label: str, help_text: str = "") -> forms.FloatField:
    return forms.FloatField(
        label=label,
        help_text=help_text,
        required=False,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}),
    )


def whole(label: str, help_text: str = "", *, required: bool = False) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, help_text=help_text, required=required, widget=UnfoldAdminIntegerFieldWidget
    )


def one_of(label: str, values: tuple[object, ...], help_text: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        help_text=help_text,
        required=False,
        choices=[("" if value is None else value, "none" if value is None else value) for value in values],
        widget=UnfoldAdminSelectWidget,
    )


def switch(label: str, help_text: str = "") -> forms.BooleanField:
    return forms.BooleanField(
        label=label, help_text=help_text, required=False, widget=UnfoldBooleanSwitchWidget
    )


class RecipeForm(forms.Form):
    """A weight that is empty leaves its term out; a negative one pushes away."""

    name = forms.CharField(label="Name", max_length=120, widget=UnfoldAdminTextInputWidget)
    image_size = whole("Image size", "Pixels a side.", required=True)
    steps = whole("Steps", "At most.", required=True)
    finish_below = number("Finished at relative error", "Empty: every image runs all steps.")
    keep = one_of("Iterate kept", KEEPS)

    weight = number("Weight", "Of the distance at the layer that is queued.")
    distance = one_of("Distance", DISTANCES)
    other_layers = forms.CharField(
        label="Other layers at once",
        help_text="One a line: layer, weight, distance. For instance: layer3, 0.5, cosine",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )

    tv_weight = number("Total variation: weight")
    tv_power = number("Total variation: β", "Empty: 2.")
    blur_weight = number("Blur: weight")
    l1_weight = number("L1: weight")
    l1_about = number("L1: about", "Empty: 0.5, grey.")
    lp_weight = number("Lp: weight")
    lp_power = number("Lp: p", "Empty: 6.")
    lp_about = number("Lp: about", "Empty: 0, black.")

    trunk = one_of("LPIPS trunk", TRUNKS, "Its weights must be on the worker's machine.")
    target_weight = number("LPIPS to the target: weight", "Negative: away from it.")
    target_measured = switch("… times the measured scale", "L_rep / LPIPS on each start image, then fixed.")
    start_weight = number("LPIPS to the start image: weight")

    pad = whole("Frame", "Pixels of grey around the image.")
    first_jitter = whole("Jitter", "Pixels.")
    scale_low = number("Scale: from", "For instance 0.9.")
    scale_high = number("Scale: to")
    scale_step = number("Scale: in steps of", "Empty: any factor.")
    angle_low = number("Rotation: from", "Degrees.")
    angle_high = number("Rotation: to")
    angle_step = number("Rotation: in steps of", "Empty: any angle.")
    last_jitter = whole("Jitter after them", "Pixels.")

    parametrization = one_of("Parametrisation", PARAMETRIZATIONS)
    relu_passthrough = switch("ReLUs at the layer pass the gradient through")
    optimizer = one_of("Optimiser", OPTIMIZERS)
    learning_rate = number("Learning rate", "Empty: 0.07 for adam, 1 for the others.")
    schedule = one_of("Schedule", SCHEDULES)
    blocks = whole("Halving blocks", "Empty: 8. Only for the schedule halving.")
    history = whole("L-BFGS history", "Empty: 10. Only for lbfgs.")

    start = one_of("Start image", START_RULES)
    start_choice = one_of("Natural image by", (None, *CHOICES), "Only for the rule natural.")
    start_scale = number("Noise about the target", "Empty: 0.2. Only for the rule target_noise.")

    null_quantile = one_of("Beats this quantile of random pairs", (None, *NULL_QUANTILES))
    max_relative_error = number("Relative error at most", "Empty: no limit of its own.")
    same_label = switch("Keeps the network's label")

    SECTIONS = (
        ("", ("name", "image_size", "steps", "finish_below", "keep")),
        ("Representation", ("weight", "distance", "other_layers")),
        (
            "Regularisers of the image",
            (
                "tv_weight", "tv_power", "blur_weight", "l1_weight", "l1_about", "lp_weight", "lp_power",
                "lp_about",
            ),
        ),
        ("Perceptual distance", ("trunk", "target_weight", "target_measured", "start_weight")),
        (
            "Random views",
            (
                "pad", "first_jitter", "scale_low", "scale_high", "scale_step", "angle_low", "angle_high",
                "angle_step", "last_jitter",
            ),
        ),
        (
            "Descent",
            (
                "parametrization", "relu_passthrough", "optimizer", "learning_rate", "schedule", "blocks",
                "history",
            ),
        ),
        ("Start image", ("start", "start_choice", "start_scale")),
        ("Passes when", ("null_quantile", "max_relative_error", "same_label")),
    )  # fmt: skip

    def sections(self) -> Iterator[tuple[str, list[BoundField]]]:
        for title, names in self.SECTIONS:
            yield title, [self[name] for name in names]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                data["recipe"] = _recipe(data)
            except RecipeError as error:
                raise forms.ValidationError(str(error)) from error
        return data

    def save(self) -> rows.Recipe:
        """Raises services.RecipeRefused for a name or a recipe that there is already."""
        return services.store_recipe(recipe=self.cleaned_data["recipe"], name=self.cleaned_data["name"])


def _recipe(data: dict[str, Any]) -> Recipe:
    return Recipe(
        image_size=data["image_size"],
        steps=data["steps"],
        objective=tuple(_terms(data)),
        transforms=tuple(_transforms(data)),
        parametrization=data["parametrization"],
        relu_passthrough=data["relu_passthrough"],
        start=Start(data["start"], data["start_choice"] or None, data["start_scale"]),
        optimizer=Optimizer(
            data["optimizer"], data["learning_rate"], data["schedule"], data["blocks"], data["history"]
        ),
        keep=data["keep"],
        finish_below=data["finish_below"],
        passing=Passing(
            data["max_relative_error"],
            data["same_label"],
            float(data["null_quantile"]) if data["null_quantile"] else None,
        ),
    )


def _terms(data: dict[str, Any]) -> Iterator[Term]:
    if data["weight"] is not None:
        yield Term(weight=data["weight"], distance=data["distance"])
    yield from map(_other_layer, filter(None, map(str.strip, data["other_layers"].splitlines())))
    if data["tv_weight"] is not None:
        yield Term("tv", data["tv_weight"], power=data["tv_power"])
    if data["blur_weight"] is not None:
        yield Term("blur", data["blur_weight"])
    if data["l1_weight"] is not None:
        yield Term("l1", data["l1_weight"], about=data["l1_about"])
    if data["lp_weight"] is not None:
        yield Term("lp", data["lp_weight"], power=data["lp_power"], about=data["lp_about"])
    if data["target_weight"] is not None:
        scale = "measured" if data["target_measured"] else None
        yield Term("perceptual", data["target_weight"], trunk=data["trunk"], scale=scale)
    if data["start_weight"] is not None:
        yield Term("perceptual", data["start_weight"], trunk=data["trunk"], anchor="start")


def _other_layer(line: str) -> Term:
    parts = [part.strip() for part in line.split(",")]
    try:
        layer, weight, distance = parts[0], float(parts[1]), parts[2]
    except (IndexError, ValueError) as error:
        raise RecipeError(f"other layers: {line!r}; allowed: layer, weight, distance") from error
    return Term(weight=weight, distance=distance, layer=layer)


def _transforms(data: dict[str, Any]) -> Iterator[Transform]:
    if data["pad"] is not None:
        yield Transform("pad", pixels=data["pad"])
    if data["first_jitter"] is not None:
        yield Transform("jitter", pixels=data["first_jitter"])
    for kind, field in (("scale", "scale"), ("rotate", "angle")):
        low, high, step = (data[f"{field}_{name}"] for name in ("low", "high", "step"))
        if (low, high, step) != (None, None, None):
            yield Transform(kind, low=low, high=high, step=step)
    if data["last_jitter"] is not None:
        yield Transform("jitter", pixels=data["last_jitter"])


def initial_of(recipe: Recipe) -> dict[str, Any]:
    """A recipe as the form's first values. What the form has no field for (a second TV term) is left out."""
    passing, optimizer, start = recipe.passing, recipe.optimizer, recipe.start
    initial: dict[str, Any] = {
        "image_size": recipe.image_size,
        "steps": recipe.steps,
        "finish_below": recipe.finish_below,
        "keep": recipe.keep,
        "other_layers": "\n".join(
            f"{term.layer}, {term.weight:g}, {term.distance}" for term in recipe.objective if term.layer
        ),
        "distance": DISTANCES[0],
        "trunk": (*recipe.trunks, TRUNKS[0])[0],
        "parametrization": recipe.parametrization,
        "relu_passthrough": recipe.relu_passthrough,
        "optimizer": optimizer.name,
        "learning_rate": optimizer.learning_rate,
        "schedule": optimizer.schedule,
        "blocks": optimizer.blocks,
        "history": optimizer.history,
        "start": start.rule,
        "start_choice": start.choice,
        "start_scale": start.scale,
        "null_quantile": passing.null_quantile,
        "max_relative_error": passing.max_relative_error,
        "same_label": passing.same_label,
    }
    for term in recipe.objective:
        initial.update(_initial_of_term(term))
    for place, transform in enumerate(recipe.transforms):
        initial.update(_initial_of_transform(transform, is_first=place < len(recipe.transforms) - 1))
    return initial


def _initial_of_term(term: Term) -> dict[str, Any]:
    if term.kind == "perceptual":
        measured = {"target_measured": term.scale is not None} if term.anchor == "target" else {}
        return {f"{term.anchor}_weight": term.weight, **measured}
    if term.kind == "representation":
        return {} if term.layer else {"weight": term.weight, "distance": term.distance}
    return {
        f"{term.kind}_weight": term.weight,
        f"{term.kind}_power": term.power,
        f"{term.kind}_about": term.about,
    }


def _initial_of_transform(transform: Transform, *, is_first: bool) -> dict[str, Any]:
    if transform.kind == "pad":
        return {"pad": transform.pixels}
    if transform.kind == "jitter":
        return {"first_jitter" if is_first else "last_jitter": transform.pixels}
    field = {"scale": "scale", "rotate": "angle"}[transform.kind]
    return {f"{field}_low": transform.low, f"{field}_high": transform.high, f"{field}_step": transform.step}
