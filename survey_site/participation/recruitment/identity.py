"""Who a recruiter's link says this is."""

from collections.abc import Mapping
from dataclasses import dataclass

# The address parameter that carries the person's id, by recruiter.
ID_PARAMETERS = {"prolific": "PROLIFIC_PID", "mturk": "workerId", "link": "participant"}


@dataclass(frozen=True)
class Identity:
    """A recruiter and its id of the person; the id is empty when the link names nobody."""

    recruiter: str
    external_id: str


def identify(parameters: Mapping[str, str]) -> Identity:
    """Read the participant link's parameters; an anonymous link gives an empty id."""
    for recruiter, name in ID_PARAMETERS.items():
        external_id = str(parameters.get(name, "")).strip()[:200]
        if external_id:
            return Identity(recruiter=recruiter, external_id=external_id)
    return Identity(recruiter="link", external_id="")
