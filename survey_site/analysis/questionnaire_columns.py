"""The columns of the exported questionnaire: one row per answer, however many questions there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from survey_site.analysis.columns import Column


class QuestionnaireFields(NamedTuple):
    """One answer with its session; `value` is text, a number, or a list of choices."""

    participant: UUID
    session: UUID
    study: str
    study_version: int
    mode: str
    language: str
    question: str
    value: Any
    received_at: datetime


# Where QuestionnaireFields, in its order, are found from a QuestionnaireAnswer.
QUESTIONNAIRE_PATHS = (
    "session__participant_id",
    "session_id",
    "session__study__slug",
    "session__version__number",
    "session__mode",
    "session__language",
    "name",
    "value",
    "entry__received_at",
)


def _answer(row: QuestionnaireFields) -> str | int | float:
    value: str | int | float | list[str] = row.value
    return "|".join(value) if isinstance(value, list) else value


QUESTIONNAIRE_COLUMNS: tuple[Column[QuestionnaireFields], ...] = (
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
    Column(
        "question", "text", "Short name of the question, the same in all languages.", lambda r: r.question
    ),
    Column(
        "answer",
        "text or number",
        "The text or number given, or the value of the choice; several choices are joined by `|`. A question "
        "without an answer has no row. What people write may name them: read free text before sharing it.",
        _answer,
    ),
    Column(
        "server_received_utc", "UTC time", "When the server stored it, ISO 8601.", lambda r: r.received_at
    ),
)
