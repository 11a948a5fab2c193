"""The recruiter's own name for a session: Prolific's submission, MTurk's assignment."""

from __future__ import annotations

from collections.abc import Mapping

from survey_site.participation.errors import Conflict, ParticipationError
from survey_site.participation.models import Participant, StudySession, Submission
from survey_site.participation.recruitment import mturk
from survey_site.participation.recruitment.identity import checked_id
from survey_site.studies.models import Recruiter, Study

SUBMISSION_PARAMETERS = {
    Recruiter.PROLIFIC: ("SESSION_ID", "STUDY_ID"),
    Recruiter.MTURK: ("assignmentId", "hitId"),
}


def check_link(study: Study, parameters: Mapping[str, str]) -> None:
    """What the study's recruiter demands of a link beside the person's id. Raises ParticipationError."""
    if study.recruiter == Recruiter.MTURK:
        mturk.checked_submit_host(parameters)
        if not checked_id(parameters, "assignmentId"):
            raise ParticipationError("recruiter_id_missing", "the link lacks assignmentId")
    given = checked_id(parameters, "STUDY_ID")
    wanted = study.recruiter_study_id
    if study.recruiter == Recruiter.PROLIFIC and wanted and given != wanted:
        raise ParticipationError(
            "wrong_recruiter_study", f"STUDY_ID is {given!r}; this study belongs to {wanted!r}"
        )


def check_submission(study: Study, parameters: Mapping[str, str], participant: Participant | None) -> None:
    """Raises Conflict where the recruiter's name for the session is another participant's."""
    if study.recruiter not in SUBMISSION_PARAMETERS:
        return
    id_name, _ = SUBMISSION_PARAMETERS[Recruiter(study.recruiter)]
    submission_id = checked_id(parameters, id_name)
    found = Submission.objects.filter(recruiter=study.recruiter, submission_id=submission_id)
    if submission_id and found.exclude(session__participant=participant).exists():
        raise Conflict("submission_taken", f"{id_name} belongs to somebody else's session")


def note_submission(session: StudySession, study: Study, parameters: Mapping[str, str]) -> None:
    """Remember the recruiter's name for the session; a person who comes again brings the one that counts."""
    if study.recruiter not in SUBMISSION_PARAMETERS:
        return
    id_name, study_name = SUBMISSION_PARAMETERS[Recruiter(study.recruiter)]
    submission_id = checked_id(parameters, id_name)
    if not submission_id:
        return
    key = {"recruiter": study.recruiter, "submission_id": submission_id}
    if Submission.objects.filter(**key).exclude(session=session).exists():
        raise Conflict("submission_taken", f"{id_name} belongs to somebody else's session")
    known = Submission.objects.filter(session=session).first()
    fresh = {
        **key,
        "recruiter_study_id": checked_id(parameters, study_name),
        "submit_to": mturk.checked_submit_host(parameters) if study.recruiter == Recruiter.MTURK else "",
    }
    if known is None:
        Submission.objects.create(session=session, **fresh)
    elif known.submission_id != submission_id:
        Submission.objects.filter(pk=known.pk).update(**fresh, status="", status_at=None)
