"""The files that a study can be exported as."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from survey_site.analysis.columns import Column
from survey_site.analysis.condition_columns import CONDITION_COLUMNS
from survey_site.analysis.exporting.conditions import condition_facts
from survey_site.analysis.exporting.copying import Told, responses_csv
from survey_site.analysis.exporting.csv_text import csv_text
from survey_site.analysis.exporting.images import images_zip, stimuli_csv
from survey_site.analysis.exporting.judgements import judgements
from survey_site.analysis.exporting.psych_ds import psych_ds_zip
from survey_site.analysis.exporting.selection import ExportRefused, Selection
from survey_site.analysis.exporting.sessions import questionnaire_rows, session_columns, session_rows
from survey_site.analysis.exporting.wide import wide_csv
from survey_site.analysis.judgement_columns import JUDGEMENT_COLUMNS
from survey_site.analysis.questionnaire_columns import QUESTIONNAIRE_COLUMNS

CSV, PARQUET, ZIP = "text/csv; charset=utf-8", "application/vnd.apache.parquet", "application/zip"


@dataclass(frozen=True)
class Kind:
    """`name` ends the file's name; `of_answers` tells whether mode, days and exclusions choose its rows."""

    name: str
    title: str
    about: str
    content_type: str
    stream: Callable[[Selection, Told], Iterator[bytes]]
    of_answers: bool = True

    def file_name(self, selection: Selection) -> str:
        """Says at a glance whose data it is, and that a full export is one."""
        filters = selection.filters
        words = [
            selection.study.slug,
            filters.mode if self.of_answers else "",
            f"v{filters.version}" if filters.version else "",
            "full" if selection.is_full and self.of_answers else "",
            self.name,
        ]
        return "-".join(word for word in words if word)


def _bytes(columns: tuple[Column, ...], rows: Iterable) -> Iterator[bytes]:
    return (text.encode() for text in csv_text(columns, rows))


def _parquet(selection: Selection, told: Told) -> Iterator[bytes]:
    from survey_site.analysis.exporting.parquet import responses_parquet  # 50 MB, loaded on first use

    return responses_parquet(selection, told)


_ALL = (
    Kind(
        "responses.csv",
        "Responses, long (CSV)",
        "One row per answer, with jsPsych's column names where they mean the same.",
        CSV,
        responses_csv,
    ),
    Kind(
        "wide.csv",
        "Responses, wide (CSV)",
        "One row per session, four columns per trial: chose_target, response, rt, confidence.",
        CSV,
        wide_csv,
    ),
    Kind(
        "responses.parquet",
        "Responses (Parquet)",
        "The long table with types, for pandas, polars, DuckDB or R's arrow.",
        PARQUET,
        _parquet,
    ),
    Kind(
        "psych-ds.zip",
        "Data set (Psych-DS, ZIP)",
        "All tables, the frozen study and the stimulus manifest, described column by column, for sharing.",
        ZIP,
        psych_ds_zip,
    ),
    Kind(
        "images.zip",
        "Images (ZIP)",
        "Everything that people were shown, with targets and start images, and stimuli.csv.",
        ZIP,
        images_zip,
        of_answers=False,
    ),
    Kind(
        "sessions.csv",
        "Sessions (CSV)",
        "One row per session, however far it came.",
        CSV,
        lambda selection, told: _bytes(session_columns(selection), session_rows(selection)),
    ),
    Kind(
        "questionnaire.csv",
        "Questionnaire (CSV)",
        "One row per answer. What people write may name them: read it before sharing.",
        CSV,
        lambda selection, told: _bytes(QUESTIONNAIRE_COLUMNS, questionnaire_rows(selection)),
    ),
    Kind(
        "conditions.csv",
        "Conditions (CSV)",
        "What each condition is: network, layer, recipe, factors, quality.",
        CSV,
        lambda selection, told: _bytes(CONDITION_COLUMNS, condition_facts(selection.source)),
        of_answers=False,
    ),
    Kind(
        "stimuli.csv",
        "Stimuli (CSV)",
        "What every trial shows: sha256, network, layer, recipe, seeds, quality.",
        CSV,
        lambda selection, told: stimuli_csv(selection),
        of_answers=False,
    ),
    Kind(
        "judgements.csv",
        "Observers' judgements (CSV)",
        "What simulated observers chose.",
        CSV,
        lambda selection, told: _bytes(JUDGEMENT_COLUMNS, judgements(selection)),
        of_answers=False,
    ),
)
KINDS = {kind.name: kind for kind in _ALL}


def kind_named(name: str) -> Kind:
    """Raises ExportRefused, naming what there is."""
    if name not in KINDS:
        raise ExportRefused(f"format is {name!r}; allowed: {', '.join(KINDS)}")
    return KINDS[name]
