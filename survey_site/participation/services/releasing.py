"""Releasing a slot: a live session is dropped, and its list and seed go to the next."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from survey_site.participation.models import SessionState, StudySession

UNDER_WAY = (SessionState.CONSENTED, SessionState.RUNNING)
HOLDS_NOTHING = {
    SessionState.CREATED: "it has no slot yet, since nobody consented",
    SessionState.REFUSED: "it never had a slot, since its participant did not consent",
    SessionState.SCREENED_OUT: "it was screened out and holds no slot",
    SessionState.WITHDRAWN: "its participant withdrew, and its slot is free already",
    SessionState.FINISHED: "it is finished, so its answers fill the slot; exclude it if they must not count",
}


class ReleaseRefused(Exception):
    """A session that holds no slot that could be given away; the message says why."""


@transaction.atomic
def release_slot(*, session_id: UUID) -> bool:
    """Drop a session that is under way, so that its slot, list and seed are given to the next.

    Whether anything changed: one that is dropped already stays so. What its browser still sends is stored,
    and if it comes to the end after all, it is finished like any other.
    """
    session = StudySession.objects.select_for_update().get(pk=session_id)
    if reason := HOLDS_NOTHING.get(SessionState(session.state)):
        raise ReleaseRefused(reason)
    return bool(
        StudySession.objects.filter(pk=session.pk, state__in=UNDER_WAY).update(state=SessionState.DROPPED)
    )
