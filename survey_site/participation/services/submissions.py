"""What a recruiter says of its submissions, taken to the sessions that it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import IntegrityError, transaction

from survey_site.participation.models import (
    Mode,
    SessionState,
    StudySession,
    Submission,
    WebhookEvent,
)
from survey_site.participation.recruitment.prolific import GAVE_UP, ListedSubmission
from survey_site.participation.tokens import external_id_hash
from survey_site.studies.models import Recruiter, Study

STATUS_CHANGE = "submission.status.change"
MAY_FINISH = [SessionState.CREATED, SessionState.CONSENTED, SessionState.RUNNING]
# Prolific holds that the participant has handed in.
HANDED_IN = ("AWAITING REVIEW", "APPROVED", "PARTIALLY APPROVED")


@transaction.atomic
def take_event(
    *, event_id: str, signature: str, event_type: str, submission_id: str, status: str, sent_at: datetime
) -> bool:
    """Take an event whose signature was verified; false if it, or its signature, was taken before.

    The signature counts beside the event's id because Prolific does not sign the id: a copy under another
    id must change nothing either.
    """
    seen = hashlib.sha256(signature.encode()).hexdigest()
    try:
        with transaction.atomic():  # of two deliveries at once the second waits here, and is refused
            WebhookEvent.objects.create(event_id=event_id, signature=seen, event_type=event_type)
    except IntegrityError:
        return False
    if event_type == STATUS_CHANGE:
        submission = Submission.objects.filter(
            recruiter=Recruiter.PROLIFIC, submission_id=submission_id
        ).first()
        if submission is not None:
            apply_status(submission, status=status, at=sent_at)
    return True


@transaction.atomic
def apply_status(submission: Submission, *, status: str, at: datetime) -> bool:
    """Note what the recruiter says, unless it said something later; a place given back is given to another.

    Returns whether anything changed.
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if submission.status_at is not None and submission.status_at > at:
        return False
    changed = submission.status != status
    Submission.objects.filter(pk=submission.pk).update(status=status, status_at=at)
    if status in GAVE_UP:
        left = StudySession.objects.filter(pk=submission.session_id, state__in=MAY_FINISH)
        changed = bool(left.update(state=SessionState.DROPPED)) or changed
    return changed


@dataclass
class Reconciliation:
    """What the recruiter and we hold, and where that differs; submissions by the recruiter's id."""

    n_listed: int = 0
    changed: list[str] = field(default_factory=list)
    unknown_here: list[str] = field(default_factory=list)
    unknown_there: list[str] = field(default_factory=list)
    finished_only_here: list[str] = field(default_factory=list)
    finished_only_there: list[str] = field(default_factory=list)


@transaction.atomic
def reconcile(
    *, study: Study, listed: Iterable[ListedSubmission], now: datetime, store: bool = True
) -> Reconciliation:
    """Compare Prolific's list with the study's real sessions; store its statuses unless told not to.

    A session whose link lacked SESSION_ID is recognised by the hash of its person's id.
    """
    found, seen = Reconciliation(), set()
    for there in listed:
        found.n_listed += 1
        submission = _submission(study, there, store=store)
        if submission is None:
            found.unknown_here.append(there.id)
            continue
        seen.add(submission.session_id)
        is_finished = submission.session.state == SessionState.FINISHED
        if is_finished and there.status not in (*HANDED_IN, "REJECTED"):
            found.finished_only_here.append(there.id)
        if there.status in HANDED_IN and submission.session.state in MAY_FINISH:
            found.finished_only_there.append(there.id)
        if submission.status != there.status:
            found.changed.append(there.id)
        if store:
            apply_status(submission, status=there.status, at=now)
    ours = Submission.objects.filter(session__study=study, session__mode=Mode.REAL)
    found.unknown_there = list(ours.exclude(session__in=seen).values_list("submission_id", flat=True))
    return found


def _submission(study: Study, there: ListedSubmission, *, store: bool) -> Submission | None:
    known = Submission.objects.filter(
        recruiter=Recruiter.PROLIFIC, submission_id=there.id, session__study=study
    )
    if found := known.select_related("session").first():
        return found
    session = StudySession.objects.filter(
        study=study,
        mode=Mode.REAL,
        submission=None,
        participant__recruiter_ids__recruiter=Recruiter.PROLIFIC,
        participant__recruiter_ids__external_id_hash=external_id_hash("prolific", there.participant_id),
    ).first()
    if session is None:
        return None
    submission = Submission(session=session, recruiter=Recruiter.PROLIFIC, submission_id=there.id)
    if store:
        submission.save()
    return submission
