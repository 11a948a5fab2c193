"""A study as a Psych-DS data set: https://psychds-docs.readthedocs.io.

CSV files in data/, each column described in dataset_description.json and the reverse; what people were shown,
and the frozen versions that say how, in materials/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from survey_site.analysis.columns import Column
from survey_site.analysis.condition_columns import CONDITION_COLUMNS
from survey_site.analysis.data_dictionary import markdown_table
from survey_site.analysis.exporting.conditions import condition_facts
from survey_site.analysis.exporting.copying import Told, response_columns, responses_csv
from survey_site.analysis.exporting.csv_text import csv_text
from survey_site.analysis.exporting.frozen_version import frozen_version
from survey_site.analysis.exporting.images import stimuli_csv
from survey_site.analysis.exporting.judgements import judgements
from survey_site.analysis.exporting.psych_ds_texts import changes, description, readme
from survey_site.analysis.exporting.selection import Selection
from survey_site.analysis.exporting.sessions import questionnaire_rows, session_columns, session_rows
from survey_site.analysis.exporting.staging import snapshot
from survey_site.analysis.exporting.zips import Member, zipped
from survey_site.analysis.judgement_columns import JUDGEMENT_COLUMNS
from survey_site.analysis.questionnaire_columns import QUESTIONNAIRE_COLUMNS
from survey_site.analysis.stimulus_columns import STIMULUS_COLUMNS
from survey_site.studies.models import Trial

SPECIFICATION = "Psych-DS 1.5.0"
TASKS = {
    "two_afc": "2afc",
    "matching": "matching",
    "classification": "classification",
    "odd_one_out": "oddoneout",
}


def psych_ds_zip(selection: Selection, told: Told) -> Iterator[bytes]:
    """The whole data set, of one moment."""
    with snapshot():
        yield from zipped(_members(selection, told), deflated=True)


def data_columns(selection: Selection) -> dict[str, tuple[Column, ...]]:
    """By the description of a file in data/ (empty: the responses), its columns."""
    return {
        "": response_columns(selection),
        "sessions": session_columns(selection),
        "questionnaire": QUESTIONNAIRE_COLUMNS,
        "conditions": CONDITION_COLUMNS,
        "judgements": JUDGEMENT_COLUMNS,
    }


def file_name(selection: Selection, about: str = "") -> str:
    """As Psych-DS names data files: keys and values joined by hyphens, values alphanumeric alone."""
    slug = re.sub(r"[^a-zA-Z0-9]", "", selection.study.slug) or "study"
    middle = f"_description-{about}" if about else ""
    return f"data/study-{slug}_task-{_task(selection)}{middle}_data.csv"


def _task(selection: Selection) -> str:
    formats = set(
        Trial.objects.filter(version__in=selection.versions(), kind="main").values_list("format", flat=True)
    )
    return TASKS[formats.pop()] if len(formats) == 1 else "mixed"


def _members(selection: Selection, told: Told) -> Iterator[Member]:
    columns = data_columns(selection)
    files = {about: file_name(selection, about) for about in columns}
    yield "dataset_description.json", _json(dataset_description(selection))
    yield "README.md", readme(selection, SPECIFICATION, files).encode()
    yield "CHANGES.md", changes(selection).encode()
    yield "documentation/data-dictionary.md", _dictionary(files, columns).encode()
    for version in selection.versions():
        yield (
            f"materials/study_version_{version.number}.json",
            _json(frozen_version(version, selection.level)),
        )
    yield "materials/stimuli.csv", stimuli_csv(selection)
    others: dict[str, Iterator[Any]] = {
        "sessions": session_rows(selection),
        "questionnaire": questionnaire_rows(selection),
        "conditions": iter(condition_facts(selection.source)),
        "judgements": judgements(selection),
    }
    for about, rows in others.items():
        yield files[about], (text.encode() for text in csv_text(columns[about], rows))
    yield files[""], responses_csv(selection, told)


def dataset_description(selection: Selection) -> dict[str, Any]:
    """JSON-LD: a schema.org Dataset whose variableMeasured has every column of every file in data/ once."""
    variables: dict[str, dict[str, str]] = {}
    for columns in data_columns(selection).values():
        for column in columns:
            variables.setdefault(
                column.name,
                {
                    "@type": "PropertyValue",
                    "name": column.name,
                    "description": f"{column.description} ({column.type})",
                },
            )
    return {
        "@context": "https://schema.org",
        "@type": "Dataset",
        "name": selection.study.name,
        "description": description(selection),
        "identifier": selection.study.slug,
        "schemaVersion": SPECIFICATION,
        "version": ", ".join(str(version.number) for version in selection.versions()),
        "keywords": ["human alignment", "model metamers", "psychophysics"],
        "citation": "Nanda et al., Do Invariances in Deep Neural Networks Align with Human Perception?, "
        "AAAI 2023, https://doi.org/10.1609/aaai.v37i8.26112",
        "variableMeasured": list(variables.values()),
    }


def _dictionary(files: dict[str, str], columns: dict[str, tuple[Column, ...]]) -> str:
    parts = ["# Data dictionary"]
    for about, table in columns.items():
        parts += [f"## {files[about]}", markdown_table(table)]
    parts += ["## materials/stimuli.csv", markdown_table(STIMULUS_COLUMNS)]
    return "\n\n".join(parts) + "\n"


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
