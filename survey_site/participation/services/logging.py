"""Taking the browser's log: each entry stored once, each response written with it or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from survey_site.participation.errors import Conflict, Forbidden, ParticipationError
from survey_site.participation.models import (
    LogEntry,
    LogKind,
    Presentation,
    Response,
    ScreenOut,
    SessionState,
    StudySession,
)
from survey_site.participation.payloads import same_json
from survey_site.participation.services.practice import Practice, practice_of, verdicts
from survey_site.participation.services.questionnaire import record_questionnaire
from survey_site.studies.frozen import FrozenTrial, frozen_settings, frozen_trial
from survey_site.studies.models import TrialFormat

TAKES_LOG = [
    SessionState.CONSENTED, SessionState.RUNNING, SessionState.FINISHED, SessionState.SCREENED_OUT,
    SessionState.DROPPED,
]  # fmt: skip


@dataclass(frozen=True)
class Acknowledgement:
    """Sequence numbers that are stored now, the next one expected, and feedback on practice trials.

    `state` is the session's: practice that was not passed ends it.
    """

    acknowledged: list[int]
    next_seq: int
    state: str
    feedback: dict[str, dict[str, bool]]


@transaction.atomic
def record_log(*, session: StudySession, entries: Sequence[dict[str, Any]]) -> Acknowledgement:
    """Store the entries, all or none: seq, kind, payload and, for responses, what was checked of it.

    The same entry again is acknowledged and changes nothing. The same seq with another body, or another
    answer to an answered presentation, raises Conflict; an answer that does not fit the session's trials
    raises ParticipationError. Entries are still taken after the session finished.
    """
    token = session.token_hash
    # One writer a session: two requests with the same entry cannot both find it missing.
    session.refresh_from_db(from_queryset=StudySession.objects.select_for_update())
    if session.token_hash != token:
        raise Forbidden("token_replaced", "this session has been taken over or withdrawn meanwhile")
    if session.state not in TAKES_LOG or session.is_refused_device:
        raise Forbidden("not_consented", f"this session is {session.state}; it takes no log")
    stored = _stored(session, entries)
    for entry in entries:
        if entry["seq"] in stored:
            _check_same(entry, stored[entry["seq"]])
            continue
        row = LogEntry.objects.create(
            session=session, seq=entry["seq"], kind=entry["kind"], payload=entry["payload"]
        )
        stored[row.seq] = (row.kind, row.payload)
        if row.kind == LogKind.RESPONSE:
            _record_response(session, row, entry["response"])
        elif row.kind == LogKind.QUESTIONNAIRE:
            record_questionnaire(session, row)
    feedback = _feedback(session, entries)
    acknowledged = sorted({entry["seq"] for entry in entries})
    _note_reach(session, acknowledged)
    _note_activity(session, has_practised=bool(feedback))
    return Acknowledgement(
        acknowledged=acknowledged,
        next_seq=session.next_seq,
        state=session.state,
        feedback=feedback,
    )


def _feedback(session: StudySession, entries: Sequence[dict[str, Any]]) -> dict[str, dict[str, bool]]:
    """Whether the practice trials answered by these entries were answered right; a replay hears it again."""
    answered = {str(entry["response"]["presentation"]) for entry in entries if "response" in entry}
    if not answered or not frozen_settings(session.version_id)["n_practice"]:
        return {}
    return {
        shown: {"correct": right}
        for shown, (_, right) in verdicts(session).items()
        if shown in answered and right is not None
    }


def _stored(session: StudySession, entries: Sequence[dict[str, Any]]) -> dict[int, tuple[str, Any]]:
    """Which of the entries are stored already; nothing is asked for what lies beyond all that is."""
    seqs = [entry["seq"] for entry in entries if entry["seq"] <= session.last_seq]
    if not seqs:
        return {}
    rows = LogEntry.objects.filter(session=session, seq__in=seqs).values_list("seq", "kind", "payload")
    return {seq: (kind, payload) for seq, kind, payload in rows}


def _check_same(entry: dict[str, Any], stored: tuple[str, Any]) -> None:
    kind, payload = stored
    if entry["kind"] != kind or not same_json(entry["payload"], payload):
        raise Conflict(
            "conflict", f"entry {entry['seq']} was stored before with another body", seq=entry["seq"]
        )


def _note_activity(session: StudySession, *, has_practised: bool) -> None:
    if session.state == SessionState.CONSENTED:
        session.state = SessionState.RUNNING
    if has_practised and session.state == SessionState.RUNNING and practice_of(session) == Practice.FAILED:
        session.state, session.screened_out_by = SessionState.SCREENED_OUT, ScreenOut.PRACTICE
    StudySession.objects.filter(pk=session.pk).update(
        last_seen_at=Now(),
        state=session.state,
        screened_out_by=session.screened_out_by,
        next_seq=session.next_seq,
        last_seq=session.last_seq,
    )


def _note_reach(session: StudySession, stored: Sequence[int]) -> None:
    """The log holds these, in order, too. Only what waited behind a gap that they may close is looked at."""
    has_gap = session.last_seq >= session.next_seq
    session.last_seq = max(session.last_seq, *stored)
    if has_gap and session.next_seq in stored:
        behind = LogEntry.objects.filter(session=session, seq__gte=session.next_seq).order_by("seq")
        stored = list(behind.values_list("seq", flat=True))
    for seq in stored:
        session.next_seq += seq == session.next_seq


def _record_response(session: StudySession, row: LogEntry, response: dict[str, Any]) -> None:
    if session.state == SessionState.SCREENED_OUT:
        raise Forbidden("screened_out", "this session was screened out; it takes no answers", seq=row.seq)
    presentation = _presentation(session, response["presentation"], row.seq)
    answers = _answers(response, presentation, row.seq)
    _check_confidence(response, frozen_settings(session.version_id)["confidence_levels"], row.seq)
    _check_unanswered(presentation, row.seq)
    if response["attempt"] != presentation.attempt:
        Presentation.objects.filter(pk=presentation.pk).update(attempt=response["attempt"])
    Response.objects.bulk_create(
        [
            Response(
                presentation=presentation,
                reference_id=reference,
                option_id=option,
                entry=row,
                **_facts(response),
            )
            for reference, option in answers
        ]
    )


def _presentation(session: StudySession, wanted: UUID, seq: int) -> Presentation:
    found = Presentation.objects.filter(session=session, pk=wanted).with_answered().order_by().first()
    if found is None:
        raise ParticipationError(
            "unknown_presentation", f"presentation {str(wanted)!r} is not of this session", seq=seq
        )
    return found


def _answers(
    response: dict[str, Any], presentation: Presentation, seq: int
) -> list[tuple[UUID, UUID | None]]:
    """Keys of reference and chosen option."""
    trial = frozen_trial(presentation.trial_id)
    asked = [answer["reference"] for answer in response["answers"]]
    if sorted(asked) != sorted(trial.references):
        raise ParticipationError(
            "invalid_reference",
            f"answers are for references {sorted(asked)}; wanted: one each for {sorted(trial.references)}",
            seq=seq,
        )
    chosen = [answer["option"] for answer in response["answers"] if answer["option"] is not None]
    if trial.format == TrialFormat.MATCHING and len(set(chosen)) < len(chosen):
        raise ParticipationError(
            "invalid_option", f"options are {chosen}; in matching each is chosen once", seq=seq
        )
    return [
        (
            trial.references[answer["reference"]],
            _option(answer["option"], response, presentation.option_order, trial, seq),
        )
        for answer in response["answers"]
    ]


def _option(
    position: int | None, response: dict[str, Any], order: list[int], trial: FrozenTrial, seq: int
) -> UUID | None:
    if position is None:
        if not response["timed_out"]:
            raise ParticipationError(
                "invalid_option", "an answer without an option is allowed only when timed_out", seq=seq
            )
        return None
    if not 0 <= position < len(order):
        raise ParticipationError(
            "invalid_option", f"option is {position}; allowed: 0 to {len(order) - 1}", seq=seq
        )
    return trial.options[order[position]]


def _check_confidence(response: dict[str, Any], levels: int | None, seq: int) -> None:
    """Rated with every choice where the study asks for it, and never where it does not."""
    given = response.get("confidence")
    has_chosen = any(answer["option"] is not None for answer in response["answers"])
    allowed = [*range(1, levels + 1)] if levels and has_chosen else [None]
    if given not in allowed:
        raise ParticipationError(
            "invalid_confidence",
            f"confidence is {given}; allowed here: {', '.join(map(str, allowed))}",
            seq=seq,
        )


def _check_unanswered(presentation: Any, seq: int) -> None:
    """A presentation is answered once; a second answer, even the same one under a new seq, is a conflict."""
    if presentation.answered:
        raise Conflict("already_answered", f"presentation {presentation.pk} is answered already", seq=seq)


FACTS = (
    "rt", "rt_raw_ms", "onset_frame_ms", "time_elapsed", "trial_type", "trial_index", "refresh_hz",
    "frames_dropped", "focus_lost", "timed_out", "confidence",
)  # fmt: skip


def _facts(response: dict[str, Any]) -> dict[str, Any]:
    facts = {name: response[name] for name in FACTS if response.get(name) is not None}
    return {**facts, "input": response.get("input") or ""}
