"""How many sessions there are, and how far they came."""

from __future__ import annotations

from typing import Any

from django.db.models import Avg, Count, F, Q

from survey_site.participation.models import ScreenOut, SessionState, StudySession
from survey_site.studies.models import Study, StudyVersion

#: Neither consented nor declined: they opened the page and read.
UNDECIDED = [SessionState.CREATED]
DECLINED = [SessionState.REFUSED]
ACTIVE = [SessionState.CONSENTED, SessionState.RUNNING]


def session_counts(study: Study, mode: str, version: StudyVersion | None = None) -> dict[str, Any]:
    """Counts of sessions, and the mean minutes of the finished ones (None without any).

    opened: the page was opened, of which refused_device came with a device that the study does not take,
    declined said no and undecided nothing yet; started: consented, whatever came then, of which active may
    still finish, finished did, failed_practice were screened out, and the others stopped. withdrawn: took
    their answers back.
    """
    sessions = StudySession.objects.filter(study=study, mode=mode)
    if version is not None:
        sessions = sessions.filter(version=version)
    # Who had their answers anonymised leaves two: the answers, and a note that somebody withdrew.
    is_note = Q(state=SessionState.WITHDRAWN, consented_at=None)
    screened_out = Q(state=SessionState.SCREENED_OUT)
    refused_device = screened_out & Q(screened_out_by=ScreenOut.DEVICE)
    never_consented = Q(state__in=[*UNDECIDED, *DECLINED]) | refused_device | is_note
    counts = sessions.aggregate(
        opened=Count("pk", filter=~is_note),
        undecided=Count("pk", filter=Q(state__in=UNDECIDED)),
        declined=Count("pk", filter=Q(state__in=DECLINED)),
        refused_device=Count("pk", filter=refused_device),
        started=Count("pk", filter=~never_consented),
        active=Count("pk", filter=Q(state__in=ACTIVE)),
        failed_practice=Count("pk", filter=screened_out & Q(screened_out_by=ScreenOut.PRACTICE)),
        withdrawn=Count("pk", filter=Q(state=SessionState.WITHDRAWN)),
        finished=Count("pk", filter=Q(state=SessionState.FINISHED)),
        duration=Avg(F("finished_at") - F("consented_at")),
    )
    duration = counts.pop("duration")
    return {**counts, "minutes": duration.total_seconds() / 60 if duration else None}
