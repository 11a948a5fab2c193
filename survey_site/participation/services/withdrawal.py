"""Taking one's answers back: deleted or anonymised at once, as the study's version says."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from survey_site.access.services import record_event
from survey_site.participation.errors import Missing
from survey_site.participation.models import (
    LogEntry,
    LogKind,
    Participant,
    Payment,
    Presentation,
    SessionState,
    StudySession,
    Submission,
)
from survey_site.participation.tokens import new_token, token_hash
from survey_site.studies.models import Withdrawal

UNDER_WAY = [SessionState.CONSENTED, SessionState.RUNNING]
WITHDRAWABLE = [*UNDER_WAY, SessionState.FINISHED, SessionState.DROPPED, SessionState.SCREENED_OUT]


def withdrawal_of(session: StudySession) -> str:
    """What the session's version says about withdrawing."""
    return str(session.version.settings.get("withdrawal", Withdrawal.NONE))


def is_withdrawable(session: StudySession) -> bool:
    """Whether the study offers it, and there is something to take back."""
    if withdrawal_of(session) == Withdrawal.NONE or session.is_refused_device:
        return False
    return session.state in WITHDRAWABLE


def has_withdrawn(session: StudySession) -> bool:
    return session.is_anonymised or session.state == SessionState.WITHDRAWN


@transaction.atomic
def withdraw(*, session_id: UUID) -> StudySession:
    """Delete or anonymise the session's answers. Doing it twice is harmless.

    Either way a session in state withdrawn stays with the participant, so that it is known that somebody
    withdrew and the same recruiter's id does not begin anew; and the audit log has a line that names nobody.
    Raises Missing where the study does not offer it or nothing was consented to.
    """
    # The lock that the log takes: an answer under way goes with the others, or is not stored at all.
    session = (
        StudySession.objects.select_for_update(of=("self",))
        .select_related("version", "study")
        .get(pk=session_id)
    )
    if has_withdrawn(session):
        return session
    if not is_withdrawable(session):
        raise Missing("nothing_to_withdraw", f"this session is {session.state}; there is nothing to withdraw")
    Submission.objects.filter(session=session).delete()
    kind = withdrawal_of(session)
    if kind == Withdrawal.DELETE:
        _delete(session)
    else:
        _anonymise(session)
    record_event(
        user=None, action="withdraw", subject=session.study, detail={"mode": session.mode, "answers": kind}
    )
    session.refresh_from_db()
    return session


def _delete(session: StudySession) -> None:
    LogEntry.objects.filter(session=session).delete()  # responses and questionnaire go with their entries
    Presentation.objects.filter(session=session).delete()
    StudySession.objects.filter(pk=session.pk).update(
        state=SessionState.WITHDRAWN, withdrawn_at=Now(), last_seen_at=Now()
    )


def _anonymise(session: StudySession) -> None:
    """The answers get a participant of their own, and times of day that tell nothing; durations stay."""
    LogEntry.objects.filter(session=session).exclude(kind=LogKind.RESPONSE).delete()
    since_midnight = _since_midnight(session.created_at)
    LogEntry.objects.filter(session=session).update(payload={}, received_at=F("received_at") - since_midnight)
    person, token = session.participant, session.token_hash
    StudySession.objects.filter(pk=session.pk).update(
        participant=Participant.objects.create(),
        token_hash=token_hash(new_token()),
        is_anonymised=True,
        recruiter="link",
        client_lease="",
        state=SessionState.DROPPED if session.state in UNDER_WAY else session.state,
        **{
            name: F(name) - since_midnight
            for name in ("created_at", "consented_at", "finished_at", "last_seen_at")
        },
    )
    note = StudySession.objects.create(
        participant=person,
        study=session.study,
        version=session.version,
        mode=session.mode,
        language=session.language,
        recruiter=session.recruiter,
        state=SessionState.WITHDRAWN,
        token_hash=token,
        rng_seed=secrets.randbits(63),
        withdrawn_at=Now(),
    )
    Payment.objects.filter(session=session).update(session=note)  # what a person is owed names the person


def _since_midnight(moment: datetime) -> timedelta:
    return moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)
