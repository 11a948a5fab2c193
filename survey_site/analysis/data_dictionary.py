"""docs/data-dictionary.md, made from the tables that the exports are made from."""

from survey_site.analysis.columns import Column, Row
from survey_site.analysis.condition_columns import CONDITION_COLUMNS
from survey_site.analysis.judgement_columns import JUDGEMENT_COLUMNS
from survey_site.analysis.payments_file import PAYMENT_COLUMNS
from survey_site.analysis.questionnaire_columns import QUESTIONNAIRE_COLUMNS
from survey_site.analysis.response_columns import RECRUITER_COLUMNS, RESPONSE_COLUMNS
from survey_site.analysis.session_columns import SESSION_COLUMNS
from survey_site.analysis.stimulus_columns import STIMULUS_COLUMNS
from survey_site.analysis.wide_columns import MEASURES

INTRODUCTION = """\
Made by `python manage.py data_dictionary > docs/data-dictionary.md` from the tables that the exports are made
from. Files are UTF-8, comma separated, with a header. An empty cell means that there is no value. Text cells
that a spreadsheet would run as a formula (leading `=`, `+`, `-`, `@`, tab or carriage return) carry an
apostrophe before it; numbers and ids are never touched. Ids are random UUIDs, or sha256 hashes."""

FULL = (
    "Full exports, which only owners may take, have these columns after the others, in sessions.csv as well:"
)
_MEASURES = ", ".join(f"`{name}`" for name in MEASURES)
WIDE = f"""\
The columns of sessions.csv, then for every trial of the chosen versions {_MEASURES}
as in the responses, each named after the trial: `v2_t14_rt` is trial 14 of version 2. Of a trial with several
references, `v2_t14_r1_rt` is the second one's; `v2_t14_n2_rt` is the second showing to the same person. The
column `item` of stimuli.csv says what each name stands for. What a session was not shown is empty."""


def data_dictionary() -> str:
    """The whole file, as Markdown."""
    return "\n\n".join(
        [
            "# Data dictionary",
            INTRODUCTION,
            "## Responses: one row per answered reference of a presentation",
            markdown_table(RESPONSE_COLUMNS),
            FULL,
            markdown_table(RECRUITER_COLUMNS),
            "## sessions.csv: one row per session, however far it came",
            markdown_table(SESSION_COLUMNS),
            "## questionnaire.csv: one row per answer to the questionnaire",
            markdown_table(QUESTIONNAIRE_COLUMNS),
            "## conditions.csv: one row per condition",
            markdown_table(CONDITION_COLUMNS),
            "## judgements.csv: one row per reference of a trial and simulated observer",
            markdown_table(JUDGEMENT_COLUMNS),
            "## payments.csv: one row per decision about pay; for owners",
            markdown_table(PAYMENT_COLUMNS),
            "## stimuli.csv: one row per reference and option of every trial",
            markdown_table(STIMULUS_COLUMNS),
            "## wide.csv: one row per session",
            WIDE + "\n",
        ]
    )


def markdown_table(columns: tuple[Column[Row], ...]) -> str:
    rows = [
        f"| `{column.name}` | {column.type} | {column.description.replace('|', chr(92) + '|')} |"
        for column in columns
    ]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows])
