"""The end of a session: the completion code is given only when nothing is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from django.db import transaction
from django.db.models.functions import Now

from survey_site.participation.errors import Forbidden
from survey_site.participation.models import LogEntry, Presentation, SessionState, StudySession
from survey_site.participation.recruitment.endings import Ending, ending_of
from survey_site.participation.services.logging import TAKES_LOG
from survey_site.participation.services.practice import Practice, practice_of
from survey_site.participation.services.questionnaire import is_questionnaire_open
from survey_site.studies.models import TrialKind

MOST_MISSING = 1000  # named in one answer; the page sends them and asks again


@dataclass(frozen=True)
class Completion:
    """Either complete, with what the participant takes back, or what is missing."""

    complete: bool
    ending: Ending = field(default_factory=Ending)
    missing_seqs: list[int] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    questionnaire_open: bool = False


@transaction.atomic
def finish_session(*, session: StudySession, last_seq: int) -> Completion:
    """Finish if entries 1 to `last_seq` are stored and everything asked is answered; else say what is not."""
    session = (
        StudySession.objects.select_for_update(of=("self",))
        .select_related("version", "study")
        .get(pk=session.pk)
    )
    if session.state not in TAKES_LOG or session.state == SessionState.SCREENED_OUT:
        raise Forbidden("not_consented", f"this session is {session.state}; it cannot be finished")
    stored = set(LogEntry.objects.filter(session=session).values_list("seq", flat=True))
    missing = list(islice((seq for seq in range(1, last_seq + 1) if seq not in stored), MOST_MISSING))
    open_ones = Presentation.objects.filter(session=session).unanswered()
    if practice_of(session) == Practice.PASSED:  # the rounds after that are not needed
        open_ones = open_ones.exclude(trial__kind=TrialKind.PRACTICE)
    unanswered = [str(pk) for pk in open_ones.values_list("pk", flat=True)]
    questionnaire_open = is_questionnaire_open(session)
    if missing or unanswered or questionnaire_open:
        return Completion(
            complete=False,
            missing_seqs=missing,
            unanswered=unanswered,
            questionnaire_open=questionnaire_open,
        )
    if session.state != SessionState.FINISHED:
        StudySession.objects.filter(pk=session.pk).update(state=SessionState.FINISHED, finished_at=Now())
        session.state = SessionState.FINISHED
    return Completion(complete=True, ending=ending_of(session))
