"""Recipes: everything that determines an IRI apart from network, layer, target and RNG seed.

A recipe is data: frozen, checked when made, written as canonical JSON and known by the hash of that JSON.
Only the standard library is needed, so the web can check, hash and show a recipe without torch.

>>> recipe = preset("reg_free", image_size=128)
>>> Recipe.from_json(recipe.to_json()) == recipe
True
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

SCHEMA = 1
SMALLEST_IMAGE, LARGEST_IMAGE = 16, 1024
MOST_STEPS = 100_000

TERMS = ("representation",)
DISTANCES = ("relative_l2",)
TRANSFORMS: tuple[str, ...] = ()
PARAMETRIZATIONS = ("pixel",)
OPTIMIZERS = ("adam", "normalized_gradient")
SCHEDULES = ("constant", "cosine")
KEEPS = ("best", "last")
START_RULES = ("unit_noise", "light_noise", "grey_noise", "black", "white")


class RecipeError(ValueError):
    """A value that a recipe can't have; the message names the field, the value and the values allowed."""


def _choice(field: str, value: object, allowed: Sequence[object]) -> None:
    # `1 in (True,)` holds in Python, so the type is compared as well.
    if not any(value == one and type(value) is type(one) for one in allowed):
        raise RecipeError(f"{field} is {value!r}; allowed: {', '.join(map(repr, allowed)) or 'nothing yet'}")


def _whole(field: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RecipeError(f"{field} is {value!r}; allowed: a whole number from {low} to {high}")


def _number(field: str, value: object, low: float, high: float) -> float:
    """The value as a float in [low, high]; 1 and 1.0 become the same recipe."""
    # NaN and the infinities fail the comparison.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RecipeError(f"{field} is {value!r}; allowed: a number from {low:g} to {high:g}")
    return float(value)


def _instances(field: str, value: object, kind: type) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, kind) for one in value):
        raise RecipeError(f"{field} is {value!r}; allowed: a list of {kind.__name__}")
    return tuple(value)


def _instance(field: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise RecipeError(f"{field} is {value!r}; allowed: a {kind.__name__}")


@dataclass(frozen=True)
class Term:
    """One weighted part of the objective.

    `representation` is the distance between the layer's response to the image and to the target;
    `relative_l2` is ||g(x) - g(x_t)||_2 / ||g(x_t)||_2 (Nanda et al., AAAI 2023).
    """

    kind: str = "representation"
    weight: float = 1.0
    distance: str = "relative_l2"

    def __post_init__(self) -> None:
        _choice("objective.kind", self.kind, TERMS)
        _choice("objective.distance", self.distance, DISTANCES)
        weight = _number("objective.weight", self.weight, -1e6, 1e6)
        if weight == 0:
            raise RecipeError("objective.weight is 0; allowed: any other number; leave the term out instead")
        object.__setattr__(self, "weight", weight)

    def formula(self) -> str:
        weight = "" if self.weight == 1 else f"{self.weight:g} "
        return f"{weight}‖g(x) − g(x_t)‖₂ / ‖g(x_t)‖₂"


@dataclass(frozen=True)
class Transform:
    """A random transform of the image before the network sees it."""

    kind: str

    def __post_init__(self) -> None:
        _choice("transforms.kind", self.kind, TRANSFORMS)


@dataclass(frozen=True)
class Optimizer:
    """How the image moves.

    `adam`: Adam on the pixels (Kingma & Ba 2015), betas 0.9 and 0.99.
    `normalized_gradient`: x <- x - learning_rate * grad / (||grad||_2 + 1e-10), the norm taken per image
    (Nanda et al., AAAI 2023).
    `cosine` lets the learning rate fall from its value to 0 over the steps; `constant` keeps it.
    """

    name: str = "adam"
    learning_rate: float = 0.1
    schedule: str = "cosine"

    def __post_init__(self) -> None:
        _choice("optimizer.name", self.name, OPTIMIZERS)
        _choice("optimizer.schedule", self.schedule, SCHEDULES)
        object.__setattr__(
            self, "learning_rate", _number("optimizer.learning_rate", self.learning_rate, 1e-8, 1e4)
        )

    def formula(self) -> str:
        rate = f"{self.learning_rate:g}" + (" falling to 0 by a cosine" if self.schedule == "cosine" else "")
        if self.name == "adam":
            return f"Adam (betas 0.9, 0.99), learning rate {rate}; x clamped to [0, 1] after every step"
        return f"x ← clamp(x − η ∇L / (‖∇L‖₂ + 1e-10), 0, 1), η = {rate}"


@dataclass(frozen=True)
class Start:
    """The rule that makes the start image x_0 from the RNG seed; z ~ N(0, 1) per pixel and channel.

    The start image is always clamped to [0, 1] and rounded to 8 bits: what is shown is what the descent
    left from.
    """

    rule: str = "unit_noise"

    def __post_init__(self) -> None:
        _choice("start.rule", self.rule, START_RULES)

    def formula(self) -> str:
        return _START_FORMULAS[self.rule]


_START_FORMULAS = {
    "unit_noise": "clamp(z, 0, 1), z ~ N(0, 1)",
    "light_noise": "clamp(0.01 z, 0, 1), z ~ N(0, 1)",
    "grey_noise": "clamp(0.5 + z / 20, 0, 1), z ~ N(0, 1)",
    "black": "0",
    "white": "1",
}


@dataclass(frozen=True)
class Passing:
    """When an IRI counts as a match, judged on the decoded 8-bit PNG (Feather et al. 2023).

    `max_relative_error`: largest relative L2 error at the layer.
    `same_label`: whether the network must give the IRI the label that it gives the target.
    """

    max_relative_error: float = 0.2
    same_label: bool = True

    def __post_init__(self) -> None:
        limit = _number("passing.max_relative_error", self.max_relative_error, 0.0, 1e6)
        object.__setattr__(self, "max_relative_error", limit)
        _choice("passing.same_label", self.same_label, (False, True))

    def formula(self) -> str:
        label = " and the network's label is the target's" if self.same_label else ""
        return f"relative error on the 8-bit image ≤ {self.max_relative_error:g}{label}"


@dataclass(frozen=True)
class Recipe:
    """What determines an IRI apart from the pair, the target and the RNG seed.

    `image_size`: height and width in pixels of target, start image and IRI.
    `steps`: gradient steps at most. `finish_below`: an image whose relative error falls to this leaves the
    batch early; None runs every step. `keep`: the iterate of least error, or the last one.

    Raises RecipeError where a value is not allowed.
    """

    image_size: int
    steps: int
    objective: tuple[Term, ...] = (Term(),)
    transforms: tuple[Transform, ...] = ()
    parametrization: str = "pixel"
    relu_passthrough: bool = False
    start: Start = Start()
    optimizer: Optimizer = Optimizer()
    keep: str = "best"
    finish_below: float | None = None
    passing: Passing = Passing()

    def __post_init__(self) -> None:
        _whole("image_size", self.image_size, SMALLEST_IMAGE, LARGEST_IMAGE)
        _whole("steps", self.steps, 1, MOST_STEPS)
        object.__setattr__(self, "objective", _instances("objective", self.objective, Term))
        if len(self.objective) != 1:
            raise RecipeError(f"objective has {len(self.objective)} terms; allowed: exactly 1")
        object.__setattr__(self, "transforms", _instances("transforms", self.transforms, Transform))
        _choice("parametrization", self.parametrization, PARAMETRIZATIONS)
        _choice("relu_passthrough", self.relu_passthrough, (False,))
        for name, kind in (("start", Start), ("optimizer", Optimizer), ("passing", Passing)):
            _instance(name, getattr(self, name), kind)
        _choice("keep", self.keep, KEEPS)
        if self.finish_below is not None:
            object.__setattr__(self, "finish_below", _number("finish_below", self.finish_below, 0.0, 1.0))

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, `schema` named.

        A field that is None is left out, so that an optional field added later changes no hash.
        """
        spec = {"schema": SCHEMA, **_plain(self)}
        return json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe that `to_json` wrote. Raises RecipeError where the text is not one."""
        try:
            spec = json.loads(text)
        except json.JSONDecodeError as error:
            raise RecipeError(f"a recipe must be JSON: {error}") from error
        if not isinstance(spec, dict):
            raise RecipeError(f"a recipe must be a JSON object, not {type(spec).__name__}")
        _choice("schema", spec.pop("schema", None), (SCHEMA,))
        nested = {name: _nested(name, value) for name, value in spec.items()}
        return _make(cls, "recipe", nested)

    @property
    def sha256(self) -> str:
        """Hash of the canonical JSON: equal for equal recipes, whoever wrote them."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def formula(self) -> str:
        """What will be minimised, from where, and how, as lines of text."""
        size = self.image_size
        lines = [
            f"minimise L(x) = {' + '.join(term.formula() for term in self.objective)}"
            f" over x in [0, 1]^(3×{size}×{size})",
            f"start: x_0 = {self.start.formula()}, rounded to 8 bits",
            f"step: {self.optimizer.formula()}",
            f"steps: {self._steps_formula()}; the {self.keep} iterate of each image is kept",
            f"passes: {self.passing.formula()}",
        ]
        return "\n".join(lines)

    def _steps_formula(self) -> str:
        if self.finish_below is None:
            return str(self.steps)
        return f"at most {self.steps}; an image is finished at relative error ≤ {self.finish_below:g}"


_ONE = MappingProxyType({"start": Start, "optimizer": Optimizer, "passing": Passing})
_MANY = MappingProxyType({"objective": Term, "transforms": Transform})


def _plain(value: Any) -> Any:
    """A dataclass as dictionaries and lists, None left out."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if not hasattr(value, "__dataclass_fields__"):
        return value
    pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
    return {name: _plain(one) for name, one in pairs if one is not None}


def _nested(name: str, value: Any) -> Any:
    if name in _ONE:
        return _make(_ONE[name], name, value)
    if name in _MANY:
        if not isinstance(value, list):
            raise RecipeError(f"{name} is {value!r}; allowed: a list")
        return tuple(_make(_MANY[name], name, one) for one in value)
    return value


def _make(kind: Any, where: str, values: Any) -> Any:
    """An instance of a dataclass from JSON's values; unknown and missing names are errors."""
    if not isinstance(values, Mapping):
        raise RecipeError(f"{where} is {values!r}; allowed: an object")
    names = [field.name for field in fields(kind)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise RecipeError(f"{where} has unknown fields {', '.join(unknown)}; allowed: {', '.join(names)}")
    try:
        return kind(**values)
    except TypeError as error:
        raise RecipeError(f"{where} lacks a field: {error}") from error


PRESETS: Mapping[str, Recipe] = MappingProxyType(
    {
        # The shipped default. Its figures are in docs/method.md.
        "reg_free": Recipe(
            image_size=96, steps=240, optimizer=Optimizer("adam", 0.1, "cosine"), finish_below=0.03
        ),
        # The descent of Nanda et al. (AAAI 2023), for replication.
        "reg_free_paper": Recipe(
            image_size=224, steps=5000, optimizer=Optimizer("normalized_gradient", 1.0, "constant")
        ),
    }
)


def preset(name: str, **changes: Any) -> Recipe:
    """A shipped recipe, with some of its fields changed.

    >>> preset("reg_free", steps=10).steps
    10

    Raises RecipeError for an unknown preset, an unknown field or a value that is not allowed.
    """
    _choice("preset", name, tuple(PRESETS))
    names = [field.name for field in fields(Recipe)]
    unknown = sorted(set(changes) - set(names))
    if unknown:
        raise RecipeError(f"a recipe has no field {', '.join(unknown)}; allowed: {', '.join(names)}")
    return replace(PRESETS[name], **changes)
