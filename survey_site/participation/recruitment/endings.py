"""What a participant takes back: a code, an address to go to, or MTurk's form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import F

from survey_site.participation.models import Mode, Response, SessionState, StudySession, Submission
from survey_site.participation.recruitment.mturk import SUBMIT_PATH
from survey_site.studies.models import Recruiter, TrialKind

PROLIFIC_COMPLETE = "https://app.prolific.com/submissions/complete"
CODES = {
    SessionState.FINISHED: "completion_code",
    SessionState.REFUSED: "refusal_code",
    SessionState.SCREENED_OUT: "screened_out_code",
}
# Who declined returns the HIT, and is paid nothing.
SUBMITS = (SessionState.FINISHED, SessionState.SCREENED_OUT)


@dataclass(frozen=True)
class Ending:
    """`submit` is a form for MTurk: where to, and its fields. All are None before the end."""

    completion_code: str | None = None
    redirect_url: str | None = None
    submit: dict[str, Any] | None = None


def ending_of(session: StudySession) -> Ending:
    """What goes with the session's state."""
    name = _code_name(session)
    if name is None:
        return Ending()
    code = session.version.settings[name] or None
    if session.mode != Mode.REAL:
        return Ending(completion_code=code)
    if session.study.recruiter == Recruiter.MTURK:
        return Ending(completion_code=code, submit=_form(session, code))
    return Ending(completion_code=code, redirect_url=_address(session, code))


def _code_name(session: StudySession) -> str | None:
    state = SessionState(session.state)
    if state == SessionState.FINISHED and _has_failed_check(session):
        return "failed_check_code"
    return CODES.get(state)


def _has_failed_check(session: StudySession) -> bool:
    """Fewer catch trials right than the study needs, where its version has a code for that."""
    settings = session.version.settings
    if not settings.get("failed_check_code") or not settings["catch_pass"]:
        return False
    answers = Response.objects.filter(
        presentation__session=session, presentation__trial__kind=TrialKind.CATCH
    )
    shown = set(answers.values_list("presentation", flat=True))
    wrong = set(answers.exclude(option=F("reference__answer")).values_list("presentation", flat=True))
    wrong |= set(answers.filter(option=None).values_list("presentation", flat=True))
    return len(shown - wrong) < settings["catch_pass"]


def _address(session: StudySession, code: str | None) -> str | None:
    if session.study.recruiter == Recruiter.PROLIFIC:
        return f"{PROLIFIC_COMPLETE}?{urlencode({'cc': code})}" if code else None
    if session.state != SessionState.FINISHED:
        return None
    return session.version.settings["completion_url"] or None


def _form(session: StudySession, code: str | None) -> dict[str, Any] | None:
    """MTurk takes a form only with a field beside the assignment."""
    if session.state not in SUBMITS:
        return None
    submission = Submission.objects.filter(session=session).first()
    if submission is None:
        return None
    fields = {"assignmentId": submission.submission_id, "outcome": session.state, "code": code or ""}
    return {"action": submission.submit_to + SUBMIT_PATH, "fields": fields}
