"""Flags of sessions: the exclusion rules held to what each has answered so far, a few sessions at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count

from survey_site.analysis.flag_models import FORMAT, SessionFlags, sessions_with_stale_flags
from survey_site.analysis.responses import ResponseRow, session_facts
from survey_site.participation.models import Presentation, Response, SessionState, StudySession
from survey_site.studies.exclusion_rules import (
    CatchRate,
    FocusLoss,
    OneSided,
    Rule,
    SessionFacts,
    StraightLining,
    TooFast,
)
from survey_site.studies.models import StudyVersion, TrialKind

#: What flags a session where its version has no rule of the kind; docs/results.md has the numbers.
DEFAULT_FLAGS: tuple[Rule, ...] = (TooFast(), OneSided(), StraightLining(), CatchRate(), FocusLoss())
#: Advisory lock of whoever refreshes.
FLAGS_LOCK = 0x1F17
SESSIONS_AT_ONCE = 200
#: Then other housekeeping has its turn, and the next run goes on.
MOST_IN_A_RUN = 1000


def flag_rules(version: StudyVersion) -> list[Rule]:
    """The rules that flag a session of the version: with its own thresholds where it froze some."""
    own = {rule.name: rule for rule in version.exclusion_rules}
    return [own.get(rule.name, rule) for rule in DEFAULT_FLAGS]


def refresh_flags() -> int:
    """Compute the flags of sessions that have moved since, longest ago first; how many.

    One process at a time is enough.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [FLAGS_LOCK])
        [is_mine] = cursor.fetchone()
        if not is_mine:
            return 0
        try:
            stale = list(sessions_with_stale_flags().values_list("pk", flat=True)[:MOST_IN_A_RUN])
            for first in range(0, len(stale), SESSIONS_AT_ONCE):
                compute_flags(stale[first : first + SESSIONS_AT_ONCE])
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [FLAGS_LOCK])
    return len(stale)


def compute_flags(keys: Sequence[UUID]) -> None:
    """Read what these sessions answered, and store what that says of them."""
    # The sessions first: an answer that comes in between moves its session on, and is read the next time.
    sessions = StudySession.objects.filter(pk__in=keys).select_related("version")
    found = {str(session.pk): session for session in sessions}
    facts = facts_of(list(found.values()))
    rules = {session.version_id: flag_rules(session.version) for session in found.values()}
    rows = [_flags(session, facts[key], rules[session.version_id]) for key, session in found.items()]
    changing = [field.name for field in SessionFlags._meta.fields if not field.primary_key]
    SessionFlags.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["session"], update_fields=changing
    )


def facts_of(sessions: Iterable[StudySession]) -> dict[str, SessionFacts]:
    """What exclusion rules ask, by session; those that answered nothing have facts, too."""
    by_key = {str(session.pk): session for session in sessions}
    keys = [session.pk for session in by_key.values()]
    expected = _expected(keys)
    unfinished = {key for key, session in by_key.items() if session.state != SessionState.FINISHED}
    answered = session_facts(_rows(keys), expected=expected, unfinished=unfinished)
    found = {facts.session: facts for facts in answered}
    return {
        key: found.get(key)
        or SessionFacts(session=key, expected=expected.get(key, 0), is_finished=key not in unfinished)
        for key in by_key
    }


def _flags(session: StudySession, facts: SessionFacts, rules: Sequence[Rule]) -> SessionFlags:
    spoken = [
        {"rule": rule.name, "reason": reason}
        for rule in rules
        if (reason := rule.reason_against(facts)) is not None
    ]
    return SessionFlags(
        session=session,
        seen_at=session.last_seen_at,
        state=session.state,
        format=FORMAT,
        answered=facts.answered,
        expected=facts.expected,
        catch_right=facts.catch_right,
        catch_answered=facts.catch_answered,
        catch_share=facts.catch_right / facts.catch_answered if facts.catch_answered else None,
        median_rt=median(facts.rts) if facts.rts else None,
        focus_lost=facts.focus_lost,
        flags=spoken,
        n_flags=len(spoken),
    )


# What facts are made of, from a Response; the rest of a ResponseRow says nothing that a rule asks.
PATHS = (
    "presentation__session_id", "presentation_id", "presentation__trial__kind",
    "presentation__trial__format", "presentation__option_order", "option_id", "option__index",
    "reference__answer_id", "reference__index", "rt", "focus_lost",
)  # fmt: skip


def _rows(keys: Sequence[UUID]) -> list[ResponseRow]:
    order = ("presentation__session_id", "presentation__position", "reference__index")
    responses = Response.objects.filter(presentation__session__in=keys).order_by(*order)
    return [_row(*values) for values in responses.values_list(*PATHS)]


def _row(
    session: UUID, presentation: UUID, kind: str, trial_format: str, order: list[int], option: UUID | None,
    index: int | None, answer: UUID, reference: int, rt: float | None, focus_lost: int | None,
) -> ResponseRow:  # fmt: skip
    nothing: dict[str, Any] = dict.fromkeys(
        ("participant", "condition", "item", "repeat_of", "target_label", "excluded_by"), ""
    )
    return ResponseRow(
        **nothing,
        session=str(session),
        reference=reference,
        kind=kind,
        presentation=str(presentation),
        choice=None if option is None else str(option),
        place=None if index is None else order.index(index),
        answer_place=None,
        n_options=len(order),
        trial_format=trial_format,
        is_correct=None if option is None else option == answer,
        rt=rt,
        confidence=None,
        focus_lost=focus_lost,
    )


def _expected(keys: Sequence[UUID]) -> dict[str, int]:
    shown = Presentation.objects.filter(session__in=keys, trial__kind=TrialKind.MAIN)
    counts = shown.order_by().values_list("session_id").annotate(n=Count("pk"))
    return {str(session): n for session, n in counts}
