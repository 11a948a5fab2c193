"""Taking the browser's log: each entry stored once, each response written with it or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from survey_site.logs import note_log_id
from survey_site.metrics import ANSWERS_STORED
from survey_site.participation.errors import Conflict, Forbidden, UnknownToken
from survey_site.participation.log_body import MAX_ENTRIES, Entry, ResponsePayload
from survey_site.participation.models import (
    LogEntry,
    LogKind,
    Presentation,
    ScreenOut,
    SessionState,
    StudySession,
)
from survey_site.participation.payloads import same_json
from survey_site.participation.services.answers import presentation_of, responses_of
from survey_site.participation.services.log_store import (
    Acknowledgement,
    LockedSession,
    NewEntry,
    NewResponse,
    Shown,
    lock_session,
    stored_entries,
    stored_from,
    trust_connection,
    write,
)
from survey_site.participation.services.next_answer import record_next
from survey_site.participation.services.practice import Practice, practice_of, verdicts
from survey_site.participation.services.questionnaire import record_questionnaire
from survey_site.participation.services.reaction_times import check_elapsed, needs_clock
from survey_site.studies.frozen import frozen_trial
from survey_site.studies.models import TrialKind

TAKES_LOG = [
    SessionState.CONSENTED, SessionState.RUNNING, SessionState.FINISHED, SessionState.SCREENED_OUT,
    SessionState.DROPPED,
]  # fmt: skip


def check_token(token_hash: str) -> None:
    """Raises UnknownToken where the token is of no session."""
    if not StudySession.objects.filter(token_hash=token_hash).exists():
        raise UnknownToken


def record_log(*, token_hash: str, entries: Sequence[Entry]) -> Acknowledgement:
    """Store the entries, all or none.

    The same entry again is acknowledged and changes nothing. The same seq with another body, or another
    answer to an answered presentation, raises Conflict; an answer that does not fit the session's trials
    raises ParticipationError; a token of no session raises UnknownToken. Entries are still taken after the
    session finished.
    """
    trust_connection()
    try:
        return record_next(token_hash, entries) or _record(token_hash, entries)
    except IntegrityError:
        # Somebody answered the same presentation while this waited for the session; now that is seen.
        return _record(token_hash, entries)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()  # kept from a server that is gone; entries that were stored are found again
        return _record(token_hash, entries)


@transaction.atomic
def _record(token_hash: str, entries: Sequence[Entry]) -> Acknowledgement:
    answered = [entry.response.presentation for entry in entries if entry.response]
    # One writer a session: two requests with the same entry cannot both find it missing.
    session, shown = lock_session(token_hash, answered)
    if session is None:
        raise UnknownToken
    _check_takes_log(session)
    _check_gap(session, entries)
    new = _new_entries(session, entries)
    responses = [
        row
        for entry in new
        if entry.response
        for row in _responses(session, shown, entry.seq, entry.response)
    ]
    _note_reach(session, [entry.seq for entry in new])
    if session.state == SessionState.CONSENTED:
        session.state = SessionState.RUNNING
    note_log_id("session_id", session.pk)
    transaction.on_commit(lambda: ANSWERS_STORED.inc(len(responses)))
    write(session, [NewEntry(entry.seq, entry.kind, entry.payload) for entry in new], responses)
    for entry in new:
        if entry.kind == LogKind.QUESTIONNAIRE:
            _record_questionnaire(session, entry.seq)
    return Acknowledgement(
        acknowledged=sorted({entry.seq for entry in entries}),
        feedback=_practised(session, shown),
        next_seq=session.next_seq,
        state=session.state,
    )


def _check_takes_log(session: LockedSession) -> None:
    is_screened_out = session.state == SessionState.SCREENED_OUT
    is_refused_device = is_screened_out and session.screened_out_by == ScreenOut.DEVICE
    if session.state not in TAKES_LOG or is_refused_device:
        raise Forbidden("not_consented", f"this session is {session.state}; it takes no log")


def _check_gap(session: LockedSession, entries: Sequence[Entry]) -> None:
    """A request may overtake another, which holds `MAX_ENTRIES` at most; a wider gap is none of that."""
    reach = session.next_seq + 2 * MAX_ENTRIES - 1
    last = max(entry.seq for entry in entries)
    if last > reach:
        raise Conflict(
            "sequence_gap",
            f"entry {last} leaves a gap; wanted next: {session.next_seq}, allowed: up to {reach}",
            seq=last,
        )


def _new_entries(session: LockedSession, entries: Sequence[Entry]) -> list[Entry]:
    """Those that are not stored; what is stored, or comes twice, must be the same."""
    known = _stored(session, entries)
    new = []
    for entry in entries:
        if entry.seq in known:
            _check_same(entry, known[entry.seq])
            continue
        known[entry.seq] = (entry.kind, entry.payload)
        new.append(entry)
    return new


def _stored(session: LockedSession, entries: Sequence[Entry]) -> dict[int, tuple[str, Any]]:
    """Which of the entries are stored already; nothing is asked for what lies beyond all that is."""
    seqs = [entry.seq for entry in entries if entry.seq <= session.last_seq]
    return stored_entries(session, seqs) if seqs else {}


def _check_same(entry: Entry, stored: tuple[str, Any]) -> None:
    kind, payload = stored
    if entry.kind != kind or not same_json(entry.payload, payload):
        raise Conflict("conflict", f"entry {entry.seq} was stored before with another body", seq=entry.seq)


def _note_reach(session: LockedSession, new: Sequence[int]) -> None:
    """The log will hold these, too. Only what waits behind a gap that they may close is looked at."""
    if not new:
        return
    stored = set(new)
    if session.last_seq >= session.next_seq and session.next_seq in stored:
        stored |= stored_from(session, session.next_seq)
    session.last_seq = max(session.last_seq, *stored)
    while session.next_seq in stored:
        session.next_seq += 1


def _practised(session: LockedSession, shown: dict[UUID, Shown]) -> dict[str, dict[str, bool]]:
    """Whether the practice trials answered were answered right; a replay hears it again.

    Practice that was not passed in any round screens the session out.
    """
    practice = {
        str(one.pk) for one in shown.values() if frozen_trial(one.trial_id).kind == TrialKind.PRACTICE
    }
    if not practice:
        return {}
    if session.state == SessionState.RUNNING and practice_of(session) == Practice.FAILED:
        session.state, session.screened_out_by = SessionState.SCREENED_OUT, ScreenOut.PRACTICE
        write(session, [], [])
    return {
        answered: {"correct": right}
        for answered, (_, right) in verdicts(session).items()
        if answered in practice and right is not None
    }


def _record_questionnaire(session: LockedSession, seq: int) -> None:
    row = LogEntry.objects.get(session=session.pk, seq=seq)
    record_questionnaire(StudySession.objects.select_related("version").get(pk=session.pk), row)


def _responses(
    session: LockedSession, shown: dict[UUID, Shown], seq: int, response: ResponsePayload
) -> list[NewResponse]:
    if session.state == SessionState.SCREENED_OUT:
        raise Forbidden("screened_out", "this session was screened out; it takes no answers", seq=seq)
    presentation = presentation_of(shown, response, seq)
    rows = responses_of(response, presentation, session.version_id, seq)
    if needs_clock(response):
        check_elapsed(response, _elapsed_ms(session), seq)
    _note_answered(presentation, response.attempt, seq)
    return rows


def _elapsed_ms(session: LockedSession) -> float:
    """Since the consent, by the database's clock."""
    found = StudySession.objects.filter(pk=session.pk).values_list(Now() - F("consented_at"), flat=True)
    return found[0].total_seconds() * 1000


def _note_answered(presentation: Shown, attempt: int, seq: int) -> None:
    """A presentation is answered once; a second answer, even the same one under a new seq, is a conflict."""
    if presentation.is_answered:
        raise Conflict("already_answered", f"presentation {presentation.pk} is answered already", seq=seq)
    presentation.is_answered = True
    if attempt != presentation.attempt:
        Presentation.objects.filter(pk=presentation.pk).update(attempt=attempt)
