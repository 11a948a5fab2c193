"""The pass rule of practice: whoever does not pass in any of the rounds is screened out."""

from __future__ import annotations

from enum import Enum

from survey_site.participation.models import Presentation, StudySession
from survey_site.participation.services.log_store import LockedSession
from survey_site.studies.frozen import frozen_settings
from survey_site.studies.models import TrialKind


class Practice(Enum):
    """How the practice of a session stands; a study without practice is passed."""

    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"


def practice_of(session: StudySession | LockedSession) -> Practice:
    """A round is passed with `practice_pass` right answers; all rounds answered and none passed is failed."""
    needed = frozen_settings(session.version_id)["practice_pass"]
    rounds: dict[int, list[bool | None]] = {}
    for block, verdict in verdicts(session).values():
        rounds.setdefault(block, []).append(verdict)
    whole = [answers for answers in rounds.values() if None not in answers]
    if not rounds or any(answers.count(True) >= needed for answers in whole):
        return Practice.PASSED
    return Practice.FAILED if len(whole) == len(rounds) else Practice.OPEN


def verdicts(session: StudySession | LockedSession) -> dict[str, tuple[int, bool | None]]:
    """By practice presentation: its round, and whether it was answered right; None is not answered."""
    rows = (
        Presentation.objects.filter(session=session.pk, trial__kind=TrialKind.PRACTICE)
        .order_by("position")
        .values_list("pk", "block", "responses__option", "responses__reference__answer")
    )
    found: dict[str, tuple[int, bool | None]] = {}
    for key, block, option, answer in rows:
        _, before = found.get(str(key), (block, True))
        right = None if answer is None else bool(before) and option == answer
        found[str(key)] = (block, right)
    return found
