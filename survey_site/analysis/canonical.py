"""Responses in an order that follows from what was answered alone. Standard library only."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from operator import itemgetter
from typing import Any

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.responses import ResponseRow, is_scored


def canonical(rows: Sequence[ResponseRow]) -> list[ResponseRow]:
    """The same rows in an order that follows from what was answered alone.

    Neither the order of the rows nor the names of participants, sessions and presentations matter, so sums of
    floats and draws of random numbers come out the same to the last bit for pseudonymised or reordered rows.
    Participants who answered exactly the same are interchangeable. Somebody's further answers to a reference
    come after the first in time, whether marked as repeats or not (`answer_order`, whose errors it raises).
    """
    order = answer_order(rows)
    by_participant: dict[str, list[tuple[str, ResponseRow]]] = {}
    for place, row in enumerate(rows):
        by_participant.setdefault(row.participant, []).append((_content(row, order.get(place, 0)), row))
    people: list[tuple[bytes, list[ResponseRow]]] = []
    for own in by_participant.values():
        own.sort(key=itemgetter(0))
        said = "\x1e".join(content for content, _ in own)
        people.append((blake2b(said.encode(), digest_size=16).digest(), [row for _, row in own]))
    people.sort(key=itemgetter(0))
    return [row for _, own in people for row in own]


def second_answers(rows: Sequence[ResponseRow]) -> dict[int, int]:
    """By place in `rows`: answers of `answer_order` after the first that nothing marks as repeats."""
    return {place: before for place, before in answer_order(rows).items() if not rows[place].repeat_of}


def answer_order(rows: Sequence[ResponseRow]) -> dict[int, int]:
    """By place in `rows`: scored answers of somebody who had answered that reference before.

    The value counts the answers before it, in time: within a session by `seq`, or else by `received`;
    sessions by their first `received`. Where these do not tell, an answer of which all others are marked as
    repeats is the first, and 1 the value of all others. Excluded rows are left out. Raises ScoringError,
    naming participant and trial, where nothing tells which answer came first: agreement and ceilings take the
    first, and another order (by what was chosen, say) would make people agree more, or less, than they do.
    """
    first: dict[tuple[str, str, int], int] = {}
    several: dict[tuple[str, str, int], list[int]] = {}
    repeats: dict[str, str] = {}
    for place, row in enumerate(rows):
        if row.repeat_of:
            repeats[row.presentation] = row.repeat_of
        if is_scored(row) and not row.excluded_by:
            key = (row.participant, row.item, row.reference)
            if first.setdefault(key, place) != place:
                several.setdefault(key, [first[key]]).append(place)
    found: dict[int, int] = {}
    for (participant, item, _), places in several.items():
        placed = [(place, rows[place]) for place in places]
        ordered = _in_time(placed)
        if ordered is not None:
            found.update((place, before) for before, place in enumerate(ordered) if before)
            continue
        original = _original(placed, repeats)
        if original is None:
            raise ScoringError(
                f"participant {participant!r} answered trial {item!r} {len(places)} times, and nothing tells "
                "which answer came first; needed: repeat_of where it is a repeat, or else client_seq or "
                "server_received_utc (between sessions the latter)"
            )
        found.update((place, 1) for place in places if place != original)
    return found


def comes_before(row: ResponseRow, other: ResponseRow) -> bool:
    """Whether of two showings in one session this one is known to have come first; by `seq`, or else by
    `received`.
    """
    if row.seq is not None and other.seq is not None and row.seq != other.seq:
        return row.seq < other.seq
    times = (_moment(row), _moment(other))
    return times[0] is not None and times[1] is not None and times[0] < times[1]


_Placed = tuple[int, ResponseRow]


def _in_time(rows: Sequence[_Placed]) -> list[int] | None:
    """Places in the order of the answers; None where that is not known."""
    by_session: dict[str, list[_Placed]] = {}
    for placed in rows:
        by_session.setdefault(placed[1].session, []).append(placed)
    if len(by_session) == 1:
        return _by(rows, lambda row: row.seq) or _by(rows, _moment)
    first_of = {first[0]: (first, own) for own in by_session.values() if (first := _first(own))}
    order = _by([first for first, _ in first_of.values()], _moment)
    parts = [_in_time(first_of[place][1]) for place in order or ()]
    if len(parts) < len(by_session) or None in parts:
        return None
    return [place for part in parts for place in part or ()]


def _original(rows: Sequence[_Placed], repeats: Mapping[str, str]) -> int | None:
    """Place of the one answer that all others repeat, over however many showings; None without one."""
    shown = {row.presentation for _, row in rows}
    originals = [place for place, row in rows if shown.isdisjoint(_repeated(row, repeats))]
    return originals[0] if len(originals) == 1 else None


def _repeated(row: ResponseRow, repeats: Mapping[str, str]) -> set[str]:
    """The presentations that the row repeats, directly or over others."""
    found: set[str] = set()
    at = row.repeat_of
    while at and at not in found:
        found.add(at)
        at = repeats.get(at, "")
    return found


def _first(rows: Sequence[_Placed]) -> _Placed | None:
    """That which was received first; None where a time is not known."""
    times = [_moment(row) for _, row in rows]
    known = [(time, placed) for time, placed in zip(times, rows, strict=True) if time]
    return min(known, key=itemgetter(0))[1] if len(known) == len(rows) else None


def _by(rows: Sequence[_Placed], key: Callable[[ResponseRow], Any]) -> list[int] | None:
    """Places sorted by `key`; None where, of several, a key is missing or occurs twice."""
    keys = [key(row) for _, row in rows]
    if len(rows) > 1 and (None in keys or len(set(keys)) < len(keys)):
        return None
    return [place for _, (place, _) in sorted(zip(keys, rows, strict=True), key=itemgetter(0))]


def _moment(row: ResponseRow) -> datetime | None:
    """When it was received; UTC where the text names no zone, None where it is no ISO 8601."""
    try:
        moment = datetime.fromisoformat(row.received)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _content(row: ResponseRow, answers_before: int) -> str:
    """What the row says, without the names that a pseudonymised file replaces; sorts in time."""
    told = (
        row.condition, row.item, row.reference, answers_before, bool(row.repeat_of), row.kind, row.choice,
        row.place, row.answer_place, row.n_options, row.trial_format, row.is_correct, row.rt, row.confidence,
        row.focus_lost, row.target_label, bool(row.excluded_by),
    )  # fmt: skip
    return repr(told)
