"""What a browser's log must look like; a payload stays as it came, what it says of a response is checked."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, NoReturn, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from survey_site.participation.errors import ParticipationError
from survey_site.participation.models import LogKind
from survey_site.participation.payloads import unstorable

Wanted = TypeVar("Wanted")

MAX_ENTRIES = 100
DAY_MS = 86_400_000.0  # more than any session lasts

Milliseconds = Annotated[float, Meta(ge=0, le=DAY_MS)] | None
Count = Annotated[int, Meta(ge=0, le=1_000_000)] | None
Index = Annotated[int, Meta(ge=0, le=1000)]


class Answer(Struct):
    """`option` is a place among those shown, None where time ran out."""

    reference: Index
    option: Index | None


class ResponsePayload(Struct):
    """What a response says, as models.Response stores it."""

    presentation: UUID
    answers: Annotated[list[Answer], Meta(min_length=1)]
    rt: Milliseconds = None
    rt_raw_ms: Milliseconds = None
    onset_frame_ms: Milliseconds = None
    time_elapsed: Milliseconds = None
    refresh_hz: Annotated[float, Meta(ge=0, le=10_000)] | None = None
    frames_dropped: Count = None
    focus_lost: Count = None
    trial_index: Count = None
    attempt: Annotated[int, Meta(ge=1, le=1000)] = 1
    trial_type: Annotated[str, Meta(max_length=60)] = ""
    timed_out: bool = False
    confidence: Annotated[int, Meta(ge=1, le=6)] | None = None
    input: Literal["key", "mouse", "touch"] | None = None


class Entry(Struct):
    """`response` is set where `kind` is one."""

    seq: Annotated[int, Meta(ge=1, le=1_000_000)]
    kind: LogKind
    payload: dict[str, Any]
    response: ResponsePayload | None = None


class _Entries(Struct):
    entries: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=MAX_ENTRIES)]


def parse(body: bytes) -> Any:
    """JSON without NaN; an empty body is an empty object. Raises ParticipationError."""
    try:
        return json.loads(body or b"{}", parse_constant=_no_number)
    except RecursionError:
        raise ParticipationError("parse_error", "JSON parse error - it is nested too deeply") from None
    except ValueError as error:  # of JSON, of its encoding, of a whole number of thousands of digits
        raise ParticipationError("parse_error", f"JSON parse error - {error}") from None


def read_entries(body: Any) -> list[Entry]:
    """The entries of {"entries": [...]}, each checked. Raises ParticipationError, code `invalid`."""
    return [_entry(place, given) for place, given in enumerate(_checked(body, _Entries, "body").entries)]


def _entry(place: int, given: dict[str, Any]) -> Entry:
    where = f"entries[{place}]"
    entry = _checked({key: given[key] for key in ("seq", "kind", "payload") if key in given}, Entry, where)
    if fault := unstorable(entry.payload):
        raise ParticipationError("invalid", f"{where}.payload: {fault}")
    if entry.kind == LogKind.RESPONSE:
        entry.response = _checked(entry.payload, ResponsePayload, f"{where}.payload")
    return entry


def _checked(given: Any, wanted: type[Wanted], where: str) -> Wanted:
    try:
        return msgspec.convert(given, wanted)
    except msgspec.ValidationError as error:
        raise ParticipationError("invalid", str(error).replace("`$", f"`{where}")) from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
