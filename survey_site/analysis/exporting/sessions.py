"""Sessions, however far they came, and their answers to the questionnaire."""

from __future__ import annotations

from collections.abc import Iterator

from survey_site.analysis.columns import Column
from survey_site.analysis.exporting.rows import ROWS_PER_FETCH, recruiter_ids
from survey_site.analysis.exporting.selection import Selection
from survey_site.analysis.questionnaire_columns import QUESTIONNAIRE_PATHS, QuestionnaireFields
from survey_site.analysis.response_columns import RECRUITER_COLUMNS
from survey_site.analysis.response_facts import NO_RECRUITER_IDS
from survey_site.analysis.session_columns import SESSION_COLUMNS, SESSION_PATHS, SessionFields
from survey_site.participation.models import QuestionnaireAnswer


def session_columns(selection: Selection) -> tuple[Column, ...]:
    return (*SESSION_COLUMNS, *RECRUITER_COLUMNS) if selection.is_full else SESSION_COLUMNS


def session_rows(selection: Selection) -> Iterator[SessionFields]:
    """In the order in which they began."""
    ids = recruiter_ids(selection) if selection.is_full else {}
    rows = selection.sessions().values_list(*SESSION_PATHS)
    for values in rows.iterator(chunk_size=ROWS_PER_FETCH):
        row = SessionFields(*values)
        yield row._replace(recruiter_ids=ids.get(row.session, NO_RECRUITER_IDS))


def questionnaire_rows(selection: Selection) -> Iterator[QuestionnaireFields]:
    """By session, in the order in which they were given."""
    answers = selection.of_sessions(QuestionnaireAnswer.objects.all(), "session")
    rows = answers.order_by("session__created_at", "session_id", "pk").values_list(*QUESTIONNAIRE_PATHS)
    return map(QuestionnaireFields._make, rows.iterator(chunk_size=ROWS_PER_FETCH))
