"""What browsers send: storable before it is stored, and compared as JSON compares."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
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
    if _depth_is_above(payload, MAX_DEPTH):
        return f"nested deeper than {MAX_DEPTH} levels"
    try:
        text = json.dumps(payload, allow_nan=False, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair"
    except ValueError:
        return "holds a number that is not finite"
    if _NUL.search(text):
        return "holds a NUL character"
    return f"{len(text)} characters; at most {MAX_PAYLOAD} are taken" if len(text) > MAX_PAYLOAD else None


# As json.dumps writes it; a backslash that stands for itself is written twice.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _depth_is_above(payload: dict[str, Any], most: int) -> bool:
    """Level by level, so that no nesting is too deep to be looked at."""
    level: list[Any] = [payload]
    for _ in range(most + 1):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [part for parts in inner for part in parts if isinstance(part, dict | list)]
        if not level:
            return False
    return True


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
