"""Answers of the questionnaire: checked against the version's questions, stored once."""

from __future__ import annotations

from typing import Any

from survey_site.participation.errors import Conflict, ParticipationError
from survey_site.participation.models import LogEntry, LogKind, QuestionnaireAnswer, StudySession
from survey_site.studies.questionnaire import AnswerError, Field, as_field, checked_answers


def questions_of(session: StudySession) -> list[Field]:
    return [as_field(frozen) for frozen in session.version.texts[session.language]["questions"]]


def record_questionnaire(session: StudySession, row: LogEntry) -> None:
    """Store the entry's answers. A second questionnaire of a session is a conflict."""
    if LogEntry.objects.filter(session=session, kind=LogKind.QUESTIONNAIRE).exclude(pk=row.pk).exists():
        raise Conflict("already_answered", "the questionnaire is answered already", seq=row.seq)
    answers = row.payload.get("answers")
    if not isinstance(answers, dict):
        raise ParticipationError("invalid_answers", "answers must be an object by question", seq=row.seq)
    try:
        given: dict[str, Any] = checked_answers(questions_of(session), answers)
    except AnswerError as error:
        raise ParticipationError("invalid_answers", str(error), seq=row.seq) from None
    QuestionnaireAnswer.objects.bulk_create(
        [
            QuestionnaireAnswer(session=session, entry=row, name=name, value=value)
            for name, value in given.items()
        ]
    )


def is_questionnaire_open(session: StudySession) -> bool:
    """Whether the study asks questions that this session has not answered."""
    if not questions_of(session):
        return False
    return not LogEntry.objects.filter(session=session, kind=LogKind.QUESTIONNAIRE).exists()
