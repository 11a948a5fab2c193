"""The columns of the exported sessions: one row per session, whether anything was answered or not."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from survey_site.analysis.columns import Column
from survey_site.analysis.response_facts import NO_RECRUITER_IDS, RecruiterIds


class SessionFields(NamedTuple):
    """One session; moments are used for durations only, since times of day may tell who it was."""

    participant: UUID
    session: UUID
    study: str
    study_version: int
    mode: str
    language: str
    recruiter: str
    state: str
    screened_out_by: str
    consented_at: datetime | None
    finished_at: datetime | None
    recruiter_ids: RecruiterIds = NO_RECRUITER_IDS


# Where SessionFields, in its order and without the last, are found from a StudySession.
SESSION_PATHS = (
    "participant_id",
    "pk",
    "study__slug",
    "version__number",
    "mode",
    "language",
    "recruiter",
    "state",
    "screened_out_by",
    "consented_at",
    "finished_at",
)


def _minutes(row: SessionFields) -> float | None:
    if row.consented_at is None or row.finished_at is None:
        return None
    return round((row.finished_at - row.consented_at).total_seconds() / 60, 2)


SESSION_COLUMNS: tuple[Column[SessionFields], ...] = (
    Column(
        "participant_id",
        "id",
        "Pseudonym of the participant, as in the responses.",
        lambda r: r.participant,
    ),
    Column("session_id", "id", "The run of the participant, as in the responses.", lambda r: r.session),
    Column("study", "text", "Slug of the study.", lambda r: r.study),
    Column("study_version", "integer", "Number of the frozen version.", lambda r: r.study_version),
    Column("mode", "text", "`real` or `pilot`.", lambda r: r.mode),
    Column("language", "text", "Language of the page.", lambda r: r.language),
    Column("recruiter", "text", "By whose link the participant came.", lambda r: r.recruiter),
    Column(
        "state",
        "text",
        "`created` (opened the page), `consented`, `running`, `finished`, `dropped` (away for too long), "
        "`refused` (declined consent), `screened_out`, or `withdrawn`.",
        lambda r: r.state,
    ),
    Column(
        "screened_out_by",
        "text",
        "`device` (a phone, where the study takes none) or `practice` (not passed); else empty.",
        lambda r: r.screened_out_by,
    ),
    Column("consented", "0 or 1", "Whether the participant consented.", lambda r: int(bool(r.consented_at))),
    Column("minutes", "number", "From consent to the end; empty where there was none.", _minutes),
)
