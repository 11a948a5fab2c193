"""The files of a study, or of one version of it, in one mode, as CSV text, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator

from survey_site.analysis.condition_columns import CONDITION_COLUMNS
from survey_site.analysis.exporting.conditions import condition_facts
from survey_site.analysis.exporting.copying import responses_csv
from survey_site.analysis.exporting.csv_text import csv_text
from survey_site.analysis.exporting.judgements import judgements
from survey_site.analysis.exporting.selection import Selection
from survey_site.analysis.exporting.sessions import questionnaire_rows, session_rows
from survey_site.analysis.judgement_columns import JUDGEMENT_COLUMNS
from survey_site.analysis.questionnaire_columns import QUESTIONNAIRE_COLUMNS
from survey_site.analysis.session_columns import SESSION_COLUMNS
from survey_site.studies.models import Study, StudyVersion


def stream_responses_csv(source: Study | StudyVersion, *, mode: str) -> Iterator[str]:
    """All responses, some thousand lines at a time: memory does not grow with their number."""
    for part in responses_csv(Selection.of(source, mode), lambda done, total: None):
        yield part.decode()


def stream_conditions_csv(source: Study | StudyVersion) -> Iterator[str]:
    """The facts about the conditions of a study, or of those that one version asks about."""
    return csv_text(CONDITION_COLUMNS, condition_facts(source))


def stream_judgements_csv(source: Study | StudyVersion) -> Iterator[str]:
    """What simulated observers judged."""
    return csv_text(JUDGEMENT_COLUMNS, judgements(Selection.of(source)))


def stream_questionnaire_csv(source: Study | StudyVersion, *, mode: str) -> Iterator[str]:
    """All answers to the questionnaire."""
    return csv_text(QUESTIONNAIRE_COLUMNS, questionnaire_rows(Selection.of(source, mode)))


def stream_sessions_csv(source: Study | StudyVersion, *, mode: str) -> Iterator[str]:
    """All sessions: how far each came."""
    return csv_text(SESSION_COLUMNS, session_rows(Selection.of(source, mode)))
