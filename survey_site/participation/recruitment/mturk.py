"""Amazon Mechanical Turk's ExternalQuestion: the page in a frame, and the form that ends the assignment."""

from __future__ import annotations

from collections.abc import Mapping

from survey_site.participation.errors import Forbidden, ParticipationError

PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"
# Who may show the page in a frame, and where an answer may be sent. A link decides neither.
FRAME_HOSTS = (
    "https://worker.mturk.com",
    "https://workersandbox.mturk.com",
    "https://www.mturk.com",
    "https://requester.mturk.com",
    "https://requestersandbox.mturk.com",
)
SUBMIT_HOSTS = ("https://www.mturk.com", "https://workersandbox.mturk.com")
SUBMIT_PATH = "/mturk/externalSubmit"


def refuse_preview(parameters: Mapping[str, str]) -> None:
    """Somebody who looks at a HIT before accepting it takes no part yet."""
    if parameters.get("assignmentId") == PREVIEW:
        raise Forbidden("preview_only", "this is MTurk's preview of the HIT; accept the HIT to take part")


def checked_submit_host(parameters: Mapping[str, str]) -> str:
    """MTurk's address for the answer. Raises ParticipationError for any that is not MTurk's."""
    given = str(parameters.get("turkSubmitTo", "")).rstrip("/")
    if given not in SUBMIT_HOSTS:
        raise ParticipationError(
            "invalid_submit_address", f"turkSubmitTo is {given[:100]!r}; allowed: {', '.join(SUBMIT_HOSTS)}"
        )
    return given
