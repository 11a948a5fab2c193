"""What a link will meet, told before anybody clicks. Nothing is written: a link preview counts nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from survey_site.participation.errors import ParticipationError
from survey_site.participation.models import Mode, Participant, StudySession
from survey_site.participation.recruitment.identity import Identity
from survey_site.participation.recruitment.submissions import check_submission
from survey_site.participation.services.sessions import check_group, identity_of
from survey_site.participation.tokens import external_id_hash
from survey_site.studies.models import Study


@dataclass(frozen=True)
class LinkState:
    """`fault` is the code that starting would be refused with; `is_known`: a session would go on."""

    fault: str = ""
    is_known: bool = False


def look_at_link(*, study: Study, mode: str, recruitment: Mapping[str, str]) -> LinkState:
    """What is wrong with the link, as far as that can be known before the start."""
    try:
        participant = _known(identity_of(study, mode, recruitment))
        if mode == Mode.REAL:
            check_submission(study, recruitment, participant)
        if participant is None:
            return LinkState()
        if StudySession.objects.filter(participant=participant, study=study, mode=mode).exists():
            return LinkState(is_known=True)
        check_group(participant, study, mode)
    except ParticipationError as error:
        return LinkState(fault=error.code)
    return LinkState()


def _known(identity: Identity) -> Participant | None:
    if not identity.external_id:
        return None
    key = external_id_hash(identity.recruiter, identity.external_id)
    return Participant.objects.filter(
        recruiter_ids__recruiter=identity.recruiter, recruiter_ids__external_id_hash=key
    ).first()
