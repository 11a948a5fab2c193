"""A study as it stands, shown to a researcher as participants would see it; kept apart and thrown away."""

from __future__ import annotations

from django.core.signing import BadSignature, TimestampSigner

from survey_site.studies.models import Study

TICKET_SECONDS = 86_400
PREVIEW_NUMBER = 0  # of the version that a preview runs; versions that people see count from 1
_signer = TimestampSigner(salt="preview")


def preview_ticket(study: Study) -> str:
    """Lets whoever has it preview the study for a day."""
    return _signer.sign(study.slug)


def is_ticket_for(slug: str, ticket: str) -> bool:
    try:
        return _signer.unsign(ticket, max_age=TICKET_SECONDS) == slug
    except BadSignature:
        return False
