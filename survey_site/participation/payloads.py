"""What browsers send: storable before it is stored, and compared as JSON compares."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_PAYLOAD = 16_000  # characters of one entry's JSON
MAX_DEPTH = 20


class ShallowJSONParser(JSONParser):
    """Refuses nesting that DRF's lets through as a RecursionError."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - it is nested too deeply") from None


def unstorable(payload: dict[str, Any]) -> str | None:
    """Why the payload cannot be stored, or None. PostgreSQL's JSON has no NUL, lone surrogate or infinity."""
    for depth, value in _values(payload):
        if depth > MAX_DEPTH:
            return f"nested deeper than {MAX_DEPTH} levels"
        if isinstance(value, str) and "\0" in value:
            return "holds a NUL character"
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            return "holds half of a surrogate pair"
        if isinstance(value, float) and not math.isfinite(value):
            return f"holds {value}, which is no number"
    length = len(json.dumps(payload))
    return f"{length} characters; at most {MAX_PAYLOAD} are taken" if length > MAX_PAYLOAD else None


def _values(payload: dict[str, Any]) -> Iterator[tuple[int, Any]]:
    """Every key and value with its depth, without recursion."""
    waiting: list[tuple[int, Any]] = [(0, payload)]
    while waiting:
        depth, value = waiting.pop()
        yield depth, value
        if depth > MAX_DEPTH:
            continue
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        if isinstance(value, dict | list):
            waiting += [(depth + 1, part) for part in parts]


def same_json(one: Any, other: Any) -> bool:
    """Whether both say the same: 1 is 1.0, but true is not 1.

    What comes back from the database is not always what Python would call equal: 1e23 is stored as the whole
    number 10 ** 23, which is not the float 1e23.
    """
    return bool(_comparable(one) == _comparable(other))


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _comparable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_comparable(part) for part in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return (value,)
