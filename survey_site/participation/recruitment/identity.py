"""Who a recruiter's link says this is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from survey_site.participation.errors import ParticipationError
from survey_site.studies.models import Recruiter

# The address parameter that carries the person's id, by recruiter.
ID_PARAMETERS = {"prolific": "PROLIFIC_PID", "mturk": "workerId", "link": "participant"}
# What a study's own recruiter must send; open links may name somebody or nobody.
REQUIRED = {
    Recruiter.SINGLE_USE: ("single_use", "link"),
    Recruiter.PROLIFIC: ("prolific", "PROLIFIC_PID"),
    Recruiter.MTURK: ("mturk", "workerId"),
}
# All that a link may say of who comes and by whom.
LINK_PARAMETERS = (
    *ID_PARAMETERS.values(), "link", "STUDY_ID", "SESSION_ID", "assignmentId", "hitId", "turkSubmitTo",
)  # fmt: skip
LONGEST_ID = 100
UNFILLED = "{{"  # Prolific's placeholder, as it is when nobody filled it in: everybody would be one person


@dataclass(frozen=True)
class Identity:
    """A recruiter and its id of the person; the id is empty when the link names nobody."""

    recruiter: str
    external_id: str


def identify(parameters: Mapping[str, str], *, expected: str = Recruiter.OPEN) -> Identity:
    """Read the participant link's parameters as a study of this recruiter does.

    An anonymous link gives an empty id where the study is open to whoever has the link. Raises
    ParticipationError for an id that is missing, too long, or a placeholder.
    """
    if expected in REQUIRED:
        recruiter, name = REQUIRED[Recruiter(expected)]
        external_id = checked_id(parameters, name)
        if not external_id:
            raise ParticipationError(
                "recruiter_id_missing", f"the link lacks {name}, by which this study knows its participants"
            )
        return Identity(recruiter, external_id)
    for recruiter, name in ID_PARAMETERS.items():
        if external_id := checked_id(parameters, name):
            return Identity(recruiter, external_id)
    return Identity(recruiter="link", external_id="")


def checked_id(parameters: Mapping[str, str], name: str) -> str:
    """The id under this name, or an empty text. Raises ParticipationError for one that nobody can have."""
    given = str(parameters.get(name, "")).strip()
    if len(given) > LONGEST_ID:
        raise ParticipationError(
            "invalid_recruiter_id", f"{name} has {len(given):,} characters; allowed: {LONGEST_ID}"
        )
    if UNFILLED in given or not given.isprintable():
        raise ParticipationError(
            "invalid_recruiter_id", f"{name} is {given!r}; allowed: the id itself, in printable characters"
        )
    return given
