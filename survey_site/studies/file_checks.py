"""Is a document a study? Names, types and ranges, each fault with its path, its value and what is allowed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

Faults = list[tuple[str, str]]
LONGEST_SHOWN = 80
MOST = 500  # entries of any one part


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def check_names(given: Any, path: str, allowed: Collection[str], required: Iterable[str] = ()) -> Faults:
    """That it is an object with these names."""
    if not isinstance(given, dict):
        return [(path, f"is {shown(given)}; allowed: an object with {', '.join(allowed)}")]
    unknown = [
        (f"{path}.{name}".strip("."), f"is no name that is known here; allowed: {', '.join(allowed)}")
        for name in given
        if name not in allowed
    ]
    return unknown + [(f"{path}.{name}".strip("."), "is missing") for name in required if name not in given]


def entries_of(given: Any, path: str, faults: Faults) -> dict[str, Any]:
    """The part's entries by name; none, with a fault, where it is no such object."""
    if isinstance(given, dict) and len(given) <= MOST:
        return given
    faults.append((path, f"is {shown(given)}; allowed: an object of at most {MOST} names with values"))
    return {}


def list_of(given: Any, path: str, faults: Faults) -> list[Any]:
    if isinstance(given, list) and len(given) <= MOST:
        return given
    faults.append((path, f"is {shown(given)}; allowed: a list of at most {MOST} entries"))
    return []


def value_of(field: Any, value: Any, path: str, faults: Faults) -> Any:
    """The value as the column takes it; what is wrong with it goes to `faults`.

    Types are JSON's: no text is a number, no number a truth.
    """
    if value is None:
        if not field.null:
            faults.append((path, f"is null; allowed: {_allowed(field)}"))
        return None
    if not _has_type(field, value):
        faults.append((path, f"is {shown(value)}; allowed: {_allowed(field)}"))
        return value
    try:
        converted = Decimal(value) if isinstance(field, models.DecimalField) else value
        return field.clean(converted, None)
    except InvalidOperation:
        faults.append((path, f"is {shown(value)}; allowed: {_allowed(field)}"))
    except ValidationError as error:
        said = " ".join(error.messages)
        faults.append((path, f"is {shown(value)}; {_choices(field) or said}"))
    return value


def _has_type(field: Any, value: Any) -> bool:
    if isinstance(field, models.BooleanField):
        return isinstance(value, bool)
    if isinstance(field, models.IntegerField):
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def _allowed(field: Any) -> str:
    if choices := _choices(field):
        return choices.removeprefix("allowed: ")
    if isinstance(field, models.BooleanField):
        kind = "true or false"
    elif isinstance(field, models.IntegerField):
        kind = "a whole number"
    elif isinstance(field, models.DecimalField):
        kind = 'an amount in quotes, such as "1.50"'
    else:
        kind = "text"
    return f"{kind}, or null" if field.null else kind


def _choices(field: Any) -> str:
    values = [str(value) for value, _ in field.flatchoices]
    return f"allowed: {', '.join(values)}{', or null' if field.null else ''}" if values else ""
