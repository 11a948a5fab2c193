"""Preview sessions: made like any other, of nobody, counted nowhere, and gone with the preview."""

from __future__ import annotations

import secrets
from uuid import UUID

from survey_site.participation.errors import Forbidden, ParticipationError
from survey_site.participation.models import PREVIEW, Participant, StudySession
from survey_site.participation.tokens import new_token, token_hash
from survey_site.studies.models import Study, StudyVersion
from survey_site.studies.previews import PREVIEW_NUMBER, is_ticket_for

NOBODY = UUID(int=0)


def preview_version(study: Study, ticket: str) -> StudyVersion:
    """Raises Forbidden without a ticket, and where there is nothing to look at any more."""
    version = StudyVersion.everything.filter(study=study, number=PREVIEW_NUMBER).first()
    if version is None or not is_ticket_for(study.slug, ticket):
        raise Forbidden("no_preview", "this preview has ended; begin it anew from the study's form")
    return version


def start_preview(study: Study, *, ticket: str, language: str) -> tuple[StudySession, str]:
    """A session in place of the study's former preview session, and its token. Within a transaction."""
    version, token = preview_version(study, ticket), new_token()
    if language not in version.texts:
        allowed = ", ".join(sorted(version.texts))
        raise ParticipationError("invalid_language", f"language is {language!r}; allowed: {allowed}")
    Study.objects.select_for_update().get(pk=study.pk)  # two who look at once take turns
    StudySession.objects.filter(study=study, mode=PREVIEW).delete()
    nobody, _ = Participant.objects.get_or_create(pk=NOBODY)
    session = StudySession.objects.create(
        participant=nobody,
        study=study,
        version=version,
        mode=PREVIEW,
        language=language,
        token_hash=token_hash(token),
        rng_seed=secrets.randbits(63),
    )
    return session, token
