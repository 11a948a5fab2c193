"""Checks of a recipe's values; every refusal names the field, the value given and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class RecipeError(ValueError):
    """A value that a recipe can't have; the message names the field, the value and the values allowed."""


def choice(field: str, value: object, allowed: Sequence[object]) -> None:
    # `1 in (True,)` holds in Python, so the type is compared as well.
    if not any(value == one and type(value) is type(one) for one in allowed):
        raise RecipeError(f"{field} is {value!r}; allowed: {', '.join(map(repr, allowed))}")


def whole(field: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RecipeError(f"{field} is {value!r}; allowed: a whole number from {low} to {high}")
    return value


def number(field: str, value: object, low: float, high: float) -> float:
    """The value as a float in [low, high]; 1 and 1.0 become the same recipe."""
    # NaN and the infinities fail the comparison.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RecipeError(f"{field} is {value!r}; allowed: a number from {low:g} to {high:g}")
    return float(value)


def absent(field: str, value: object, owner: str) -> None:
    """A field that belongs to other kinds is given here."""
    if value is not None:
        raise RecipeError(f"{field} is {value!r}; allowed: nothing, {owner} has none")


def instances(field: str, value: object, kind: type) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, kind) for one in value):
        raise RecipeError(f"{field} is {value!r}; allowed: a list of {kind.__name__}")
    return tuple(value)


def instance(field: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise RecipeError(f"{field} is {value!r}; allowed: a {kind.__name__}")
