"""docs/data-dictionary.md, made from the tables that the exports are made from."""

from survey_site.analysis.columns import RESPONSE_COLUMNS, Column, Row
from survey_site.analysis.condition_columns import CONDITION_COLUMNS
from survey_site.analysis.judgement_columns import JUDGEMENT_COLUMNS
from survey_site.analysis.questionnaire_columns import QUESTIONNAIRE_COLUMNS
from survey_site.analysis.session_columns import SESSION_COLUMNS

INTRODUCTION = """\
Made by `python manage.py data_dictionary > docs/data-dictionary.md` from the tables that the exports are made
from. Files are UTF-8, comma separated, with a header. An empty cell means that there is no value. Text cells
that a spreadsheet would run as a formula (leading `=`, `+`, `-`, `@`, tab or carriage return) carry an
apostrophe before it; numbers are never touched. Ids are random."""


def data_dictionary() -> str:
    """The whole file, as Markdown."""
    return "\n\n".join(
        [
            "# Data dictionary",
            INTRODUCTION,
            "## Responses: one row per answered reference of a presentation",
            _markdown_table(RESPONSE_COLUMNS),
            "## sessions.csv: one row per session, however far it came",
            _markdown_table(SESSION_COLUMNS),
            "## questionnaire.csv: one row per answer to the questionnaire",
            _markdown_table(QUESTIONNAIRE_COLUMNS),
            "## conditions.csv: one row per condition",
            _markdown_table(CONDITION_COLUMNS),
            "## judgements.csv: one row per reference of a trial and simulated observer",
            _markdown_table(JUDGEMENT_COLUMNS) + "\n",
        ]
    )


def _markdown_table(columns: tuple[Column[Row], ...]) -> str:
    rows = [
        f"| `{column.name}` | {column.type} | {column.description.replace('|', chr(92) + '|')} |"
        for column in columns
    ]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows])
