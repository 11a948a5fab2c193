"""What stores a log: a call that reads and locks, and one that writes; for the usual case one that does all.

Every answer of every participant passes here, one request an answer. They are functions in the database
(migration 0002), since it keeps their plans, and few, since each call costs; the ORM's way took six
statements and several times the processor time (docs/participants.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.db import DEFAULT_DB_ALIAS, connection, connections
from msgspec import Struct, to_builtins

from survey_site.participation.models import LogEntry


@dataclass(frozen=True)
class Acknowledgement:
    """Sequence numbers that are stored now, the next one expected, and feedback on practice trials.

    `state` is the session's: practice that was not passed ends it.
    """

    acknowledged: list[int]
    next_seq: int
    state: str
    feedback: dict[str, dict[str, bool]]


@dataclass
class LockedSession:
    """What storing a log reads and changes of a session; its row is locked until the transaction ends."""

    pk: UUID
    version_id: int
    state: str
    screened_out_by: str
    next_seq: int
    last_seq: int


@dataclass
class Shown:
    """A presentation of the session, and whether it was answered before."""

    pk: UUID
    trial_id: UUID
    option_order: list[int]
    attempt: int
    is_answered: bool


class NewEntry(Struct):
    seq: int
    kind: str
    payload: dict[str, Any]


class NewResponse(Struct):
    """A row of models.Response, but for its entry, which `seq` names."""

    seq: int
    presentation_id: UUID
    reference_id: UUID
    option_id: UUID | None
    rt: float | None
    rt_raw_ms: float | None
    onset_frame_ms: float | None
    time_elapsed: float | None
    trial_type: str
    trial_index: int | None
    input: str
    refresh_hz: float | None
    frames_dropped: int | None
    focus_lost: int | None
    timed_out: bool
    confidence: int | None


def trust_connection() -> None:
    """Leave out what Django asks of a kept connection before its first use in a request.

    That costs as much as a statement, and if the server is gone, the first statement tells.
    """
    connections[DEFAULT_DB_ALIAS].health_check_done = True  # type: ignore[attr-defined]


def lock_session(
    token_hash: str, presentations: Sequence[UUID]
) -> tuple[LockedSession | None, dict[UUID, Shown]]:
    """The session of a token, locked, and those of the presentations that are its own.

    Whoever waited for the lock sees the session as it is now, but may take a presentation for unanswered that
    the one before answered: the unique constraint then refuses the second answer.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM participation_lock_session(%s, %s::uuid[])", [token_hash, list(presentations)]
        )
        rows = cursor.fetchall()
    if not rows:
        return None, {}
    shown = {row[6]: Shown(row[6], row[7], json.loads(row[8]), *row[9:]) for row in rows if row[6]}
    return LockedSession(*rows[0][:6]), shown


def stored_entries(session: LockedSession, seqs: Sequence[int]) -> dict[int, tuple[str, Any]]:
    """Kind and payload of those that are stored already."""
    rows = LogEntry.objects.filter(session=session.pk, seq__in=seqs).values_list("seq", "kind", "payload")
    return {seq: (kind, payload) for seq, kind, payload in rows}


def stored_from(session: LockedSession, seq: int) -> set[int]:
    """The sequence numbers from `seq` on that are stored already."""
    return set(LogEntry.objects.filter(session=session.pk, seq__gte=seq).values_list("seq", flat=True))


def write(session: LockedSession, entries: Sequence[NewEntry], responses: Sequence[NewResponse]) -> None:
    """Store new entries with their responses, and the session's state and reach. Raises IntegrityError."""
    values = (
        session.pk, session.state, session.screened_out_by, session.next_seq, session.last_seq,
        json.dumps([to_builtins(entry) for entry in entries]), msgspec.json.encode(responses).decode(),
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT participation_store_log(%s, %s, %s, %s, %s, %s::jsonb, %s::jsonb)", values)


def store_next(token_hash: str, seq: int, payload: dict[str, Any], responses: Sequence[NewResponse]) -> bool:
    """Store the entry with its responses if it is the next of a running session, and nothing otherwise."""
    values = (token_hash, seq, json.dumps(payload), msgspec.json.encode(responses).decode())
    with connection.cursor() as cursor:
        cursor.execute("SELECT participation_store_next(%s, %s, %s::jsonb, %s::jsonb)", values)
        [is_stored] = cursor.fetchone()
    return bool(is_stored)
