"""The usual case in one call: the next answer of a session that is under way.

Once consent is given, a session's version and presentations stand still, so that they are kept in this
process; state, reach, and whether the presentation was answered are checked by the database as it writes
(migration 0002). Whatever is not plainly this case is left to `logging`, which also says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from survey_site.metrics import ANSWERS_STORED
from survey_site.participation.errors import ParticipationError
from survey_site.participation.log_body import Entry
from survey_site.participation.models import Presentation, SessionState, StudySession
from survey_site.participation.services.answers import presentation_of, responses_of
from survey_site.participation.services.log_store import Acknowledgement, store_next
from survey_site.participation.services.reaction_times import needs_clock
from survey_site.studies.frozen import frozen_trial
from survey_site.studies.models import TrialKind

SESSIONS_KEPT = 500


@dataclass(frozen=True)
class _Presentation:
    pk: UUID
    trial_id: UUID
    option_order: list[int]


@dataclass(frozen=True)
class _Session:
    version_id: int
    presentations: dict[UUID, _Presentation]


def record_next(token_hash: str, entries: Sequence[Entry]) -> Acknowledgement | None:
    """Store the one entry if it is the next answer of a running session; None where that is not the case."""
    entry = entries[0]
    if len(entries) != 1 or entry.response is None or entry.response.attempt != 1:
        return None
    if needs_clock(entry.response):
        return None
    try:
        session = _kept(token_hash)
        shown = presentation_of(session.presentations, entry.response, entry.seq)
        responses = responses_of(entry.response, shown, session.version_id, entry.seq)
    except (LookupError, ParticipationError):
        return None
    if frozen_trial(shown.trial_id).kind == TrialKind.PRACTICE:  # whoever practises is judged
        return None
    if not store_next(token_hash, entry.seq, entry.payload, responses):
        return None
    ANSWERS_STORED.inc(len(responses))
    return Acknowledgement(
        acknowledged=[entry.seq], next_seq=entry.seq + 1, state=SessionState.RUNNING, feedback={}
    )


@lru_cache(maxsize=SESSIONS_KEPT)
def _kept(token_hash: str) -> _Session:
    """Raises LookupError where there is no session, or none that was assigned its presentations."""
    session = StudySession.objects.only("pk", "version_id").filter(token_hash=token_hash).first()
    if session is None:
        raise LookupError
    rows = Presentation.objects.filter(session=session).order_by()
    shown = [_Presentation(*row) for row in rows.values_list("pk", "trial_id", "option_order")]
    if not shown:
        raise LookupError
    return _Session(session.version_id, {one.pk: one for one in shown})
