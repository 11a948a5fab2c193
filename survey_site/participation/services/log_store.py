"""The statements that store a log: one that reads and locks, one that writes, both in one round trip each.

Every answer of every participant passes here, one request an answer; the ORM's way took six statements and
four times the processor time (docs/performance.md).
"""

# ruff: noqa: S608 (the names of tables and columns are put in, never values)

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections

from survey_site.participation.models import LogEntry, Presentation, Response, StudySession

SESSION, PRESENTATION = StudySession._meta.db_table, Presentation._meta.db_table
ENTRY, RESPONSE = LogEntry._meta.db_table, Response._meta.db_table


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


@dataclass(frozen=True)
class NewEntry:
    seq: int
    kind: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class NewResponse:
    """A row of Response, but for its entry, which `seq` names."""

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


_LOCK = f"""
SELECT s.id, s.version_id, s.state, s.screened_out_by, s.next_seq, s.last_seq,
    p.id, p.trial_id, p.option_order, p.attempt,
    EXISTS (SELECT FROM {RESPONSE} r WHERE r.presentation_id = p.id)
FROM {SESSION} s LEFT JOIN {PRESENTATION} p ON p.session_id = s.id AND p.id = ANY(%s::uuid[])
WHERE s.token_hash = %s FOR UPDATE OF s
"""
_STORED = f"SELECT seq, kind, payload FROM {ENTRY} WHERE session_id = %s AND seq = ANY(%s)"
_BEHIND = f"SELECT seq FROM {ENTRY} WHERE session_id = %s AND seq >= %s"
_COLUMNS = [one.name for one in fields(NewResponse)][1:]
_TYPES = (
    "int", "uuid", "uuid", "uuid", "float8", "float8", "float8", "float8", "text", "int", "text", "float8",
    "int", "int", "bool", "int",
)  # fmt: skip
_ENTRIES = f"""
WITH entry AS (
    INSERT INTO {ENTRY} (session_id, seq, kind, payload, received_at)
    SELECT %s, seq, kind, payload, statement_timestamp() FROM (VALUES {{entries}}) e (seq, kind, payload)
    RETURNING id, seq
)
"""
_RESPONSES = f""", answer AS (
    INSERT INTO {RESPONSE} (entry_id, {", ".join(_COLUMNS)})
    SELECT entry.id, {", ".join(_COLUMNS)}
    FROM (VALUES {{responses}}) r (seq, {", ".join(_COLUMNS)}) JOIN entry USING (seq)
)
"""
_REACH = f"""
UPDATE {SESSION} SET last_seen_at = statement_timestamp(), state = %s, screened_out_by = %s, next_seq = %s,
    last_seq = %s
WHERE id = %s
"""
_ENTRY_VALUES = "(%s, %s, %s::jsonb)"
_RESPONSE_VALUES = f"({', '.join(f'%s::{kind}' for kind in _TYPES)})"


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
        cursor.execute(_LOCK, [list(presentations), token_hash])
        rows = cursor.fetchall()
    if not rows:
        return None, {}
    shown = {row[6]: Shown(row[6], row[7], json.loads(row[8]), *row[9:]) for row in rows if row[6]}
    return LockedSession(*rows[0][:6]), shown


def stored_entries(session: LockedSession, seqs: Sequence[int]) -> dict[int, tuple[str, Any]]:
    """Kind and payload of those that are stored already."""
    with connection.cursor() as cursor:
        cursor.execute(_STORED, [session.pk, list(seqs)])
        return {seq: (kind, json.loads(payload)) for seq, kind, payload in cursor.fetchall()}


def stored_from(session: LockedSession, seq: int) -> set[int]:
    """The sequence numbers from `seq` on that are stored already."""
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, [session.pk, seq])
        return {found for (found,) in cursor.fetchall()}


def write(session: LockedSession, entries: Sequence[NewEntry], responses: Sequence[NewResponse]) -> None:
    """Store new entries with their responses, and the session's state and reach. Raises IntegrityError."""
    statement, values = "", list[Any]()
    if entries:
        statement = _ENTRIES.format(entries=", ".join([_ENTRY_VALUES] * len(entries)))
        values = [session.pk]
        for entry in entries:
            values += (entry.seq, entry.kind, json.dumps(entry.payload))
    if responses:
        statement += _RESPONSES.format(responses=", ".join([_RESPONSE_VALUES] * len(responses)))
        for response in responses:
            values += vars(response).values()
    values += (session.state, session.screened_out_by, session.next_seq, session.last_seq, session.pk)
    with connection.cursor() as cursor:
        cursor.execute(statement + _REACH, values)
