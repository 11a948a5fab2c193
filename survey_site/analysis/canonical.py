"""Responses in an order that follows from what was answered alone. Standard library only."""

from collections.abc import Callable, Sequence
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
    Participants who answered exactly the same are interchangeable. A repeat comes after what it repeats, a
    second answer that nothing marks as a repeat after the first (`second_answers`, whose errors it raises).
    """
    later = second_answers(rows)
    by_participant: dict[str, list[tuple[str, ResponseRow]]] = {}
    for place, row in enumerate(rows):
        by_participant.setdefault(row.participant, []).append((_content(row, later.get(place, 0)), row))
    people: list[tuple[bytes, list[ResponseRow]]] = []
    for own in by_participant.values():
        own.sort(key=itemgetter(0))
        said = "\x1e".join(content for content, _ in own)
        people.append((blake2b(said.encode(), digest_size=16).digest(), [row for _, row in own]))
    people.sort(key=itemgetter(0))
    return [row for _, own in people for row in own]


def second_answers(rows: Sequence[ResponseRow]) -> dict[int, int]:
    """By place in `rows`: scored answers of somebody who had answered that reference before, unmarked.

    The value counts the answers before it, in time: within a session by `seq`, or else by `received`;
    sessions by their first `received`. Excluded rows and marked repeats are left out. Raises ScoringError,
    naming participant and trial, where neither tells which answer came first: agreement and ceilings take the
    first, and another order (by what was chosen, say) would make people agree more, or less, than they do.
    """
    first: dict[tuple[str, str, int], int] = {}
    several: dict[tuple[str, str, int], list[int]] = {}
    for place, row in enumerate(rows):
        if is_scored(row) and not row.repeat_of and not row.excluded_by:
            key = (row.participant, row.item, row.reference)
            if first.setdefault(key, place) != place:
                several.setdefault(key, [first[key]]).append(place)
    found: dict[int, int] = {}
    for (participant, item, _), places in several.items():
        ordered = _in_time([(place, rows[place]) for place in places])
        if ordered is None:
            raise ScoringError(
                f"participant {participant!r} answered trial {item!r} {len(places)} times, and nothing tells "
                "which answer came first; needed: repeat_of where it is a repeat, or else client_seq or "
                "server_received_utc (between sessions the latter)"
            )
        found.update((place, before) for before, place in enumerate(ordered) if before)
    return found


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
    """What the row says, without the names that a pseudonymised file replaces; sorts repeats last."""
    told = (
        row.condition, row.item, row.reference, bool(row.repeat_of), answers_before, row.kind, row.choice,
        row.place, row.answer_place, row.n_options, row.trial_format, row.is_correct, row.rt, row.confidence,
        row.focus_lost, row.target_label, bool(row.excluded_by),
    )  # fmt: skip
    return repr(told)
