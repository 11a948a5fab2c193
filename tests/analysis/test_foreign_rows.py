"""Answers collected elsewhere, scored with a mapping: their scores are those of the same answers of ours."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from survey_site.analysis.column_mapping import ColumnMapping, MappingError
from survey_site.analysis.csv_checks import CsvError
from survey_site.analysis.foreign_rows import mapped_lines

ANSWERS = [
    (f"p{person}", model, f"item{item}", (person * item + len(model)) % 4 > 0)
    for person in range(6)
    for model in ("r18", "vgg16")
    for item in range(5)
]
MAPPING = {
    "columns": {
        "participant_id": "PROLIFIC_PID",
        "trial_id": "item",
        "trial_kind": {"column": "phase", "values": {"test": "main", "attention": "catch"}},
        "condition": {"column": "model", "values": {"r18": "resnet18-avgpool", "vgg16": "vgg16-fc", "": ""}},
        "chose_target": {"column": "response", "equals": "correct_response"},
        "n_options": {"value": 2},
        "presentation_id": "@row",
        "rt": "rt",
    },
    "where": {"trial_type": ["image-button-response", "iri-two-afc"]},
}


def trials() -> list[dict[str, Any]]:
    """As jsPsych records them: instructions between the answers, numbers as numbers, nothing as null."""
    found: list[dict[str, Any]] = []
    for number, (person, model, item, right) in enumerate(ANSWERS):
        own = {"PROLIFIC_PID": person, "trial_index": number}
        found.append({**own, "trial_type": "instructions", "view_history": [{"page_index": 0}]})
        shown = {"model": model, "item": item, "correct_response": number % 2, "phase": "test"}
        response = number % 2 if right else 1 - number % 2
        found.append(
            {**own, "trial_type": "image-button-response", **shown, "response": response, "rt": 512.5}
        )
    catch = {"model": "", "item": "c", "correct_response": 0, "phase": "attention", "response": 0, "rt": 1}
    missed = {"model": "r18", "item": "item9", "correct_response": 0, "phase": "test", "response": None}
    for last in (catch, missed):
        found.append({"PROLIFIC_PID": "p0", "trial_type": "image-button-response", **last})
    return found


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, restval="")
    writer.writeheader()
    writer.writerows(
        {name: json.dumps(value) if isinstance(value, list) else value for name, value in row.items()}
        for row in rows
    )
    return out.getvalue().encode()


def as_jatos(rows: list[dict[str, Any]]) -> bytes:
    """One array a line and participant."""
    people = dict.fromkeys(row["PROLIFIC_PID"] for row in rows)
    runs = [[row for row in rows if row["PROLIFIC_PID"] == person] for person in people]
    return "\n".join(json.dumps(run) for run in runs).encode() + b"\n\n"


FORMS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "csv": as_csv,
    "array": lambda rows: json.dumps(rows).encode(),
    "array over lines": lambda rows: json.dumps(rows, indent=2).encode(),
    "jatos": as_jatos,
    "object a line": lambda rows: "\n".join(json.dumps(row) for row in rows).encode(),
    "with a byte order mark": lambda rows: b"\xef\xbb\xbf" + as_csv(rows),
}


def scored(*words: str) -> dict[str, Any]:
    stdout = io.StringIO()
    call_command("score_csv", *words, "--json", stdout=stdout, stderr=io.StringIO())
    found: dict[str, Any] = json.loads(stdout.getvalue())
    return found


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "ours.csv"
    names = {"r18": "resnet18-avgpool", "vgg16": "vgg16-fc"}
    rows = [f"{p},{names[m]},{i},main,{int(right)},2" for p, m, i, right in ANSWERS]
    header = "participant_id,condition,trial_id,trial_kind,chose_target,n_options"
    last = ["p0,,c,catch,1,2", "p0,resnet18-avgpool,item9,main,,2"]
    path.write_text("\n".join([header, *rows, *last]) + "\n")
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("language", ["json", "yaml"])
def test_answers_from_elsewhere_have_the_scores_of_ours(
    tmp_path: Path, ours: Path, form: str, language: str
) -> None:
    theirs, mapping = tmp_path / "theirs", tmp_path / "mapping"
    theirs.write_bytes(FORMS[form](trials()))
    mapping.write_text(json.dumps(MAPPING) if language == "json" else yaml.safe_dump(MAPPING))
    found, expected = scored(str(theirs), "--mapping", str(mapping)), scored(str(ours))
    assert found["conditions"] == expected["conditions"]
    assert found["rows"] == expected["rows"]
    assert found["rows"] == {"read": 62, "scored": 60, "not_main": 1, "unanswered": 1, "excluded": 0}
    assert found["warnings"] == []


def mapped(rows: list[dict[str, Any]] | bytes, **changes: Any) -> list[str]:
    mapping = ColumnMapping.read(json.dumps({**MAPPING, **changes}))
    content = rows if isinstance(rows, bytes) else as_csv(rows)
    return b"".join(mapped_lines(io.BytesIO(content), mapping)).decode().split("\n")


def test_lines_keep_their_numbers() -> None:
    rows = trials()[:4]
    rows[0]["view_history"] = "over\ntwo lines"
    lines = mapped(rows)
    assert [bool(line) for line in lines] == [True, False, False, True, False, True, False]


def test_runs_and_rows_are_numbered() -> None:
    columns = {"participant_id": "@run", "presentation_id": "@row"}
    lines = mapped(as_jatos(trials()), columns=columns)
    filled = [line for line in lines[1:] if line]
    assert filled[0] == "1,2"
    assert {line.split(",")[0] for line in filled} == {"1", "2", "3", "4", "5", "6"}
    assert len({line.split(",")[1] for line in filled}) == len(filled) == 62


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("[1, 2]", "there is no object `columns`"),
        ("columns: {a: [", "neither YAML nor JSON"),
        ("columns: {participant: id}", "participant is no column of ours; did you mean participant_id?"),
        ("columns: {rt: {value: 1, column: x}}", 'rt is {"value": 1, "column": "x"}; it must be the name'),
        ("columns: {rt: 5}", "rt is 5; it must be the name of a column"),
        ("{columns: {rt: rt}, rows: 3}", "rows: allowed are columns and where"),
        ("{columns: {rt: rt}, where: [a]}", "where must name columns"),
    ],
)
def test_what_is_no_mapping_is_refused_with_the_reason(given: str, message: str) -> None:
    with pytest.raises(MappingError) as refusal:
        ColumnMapping.read(given)
    assert message in str(refusal.value)


def test_a_value_without_a_name_is_refused_with_its_line() -> None:
    rows = trials()
    rows[3]["model"] = "alexnet"
    with pytest.raises(CsvError) as refusal:
        mapped(rows)
    assert str(refusal.value) == (
        "line 5: model is 'alexnet', which the values of condition do not name: 'r18', 'vgg16', ''"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "missing columns PROLIFIC_PID, correct_response, item"),
        (b'[{"rt": 1}]', "missing columns PROLIFIC_PID, correct_response, item"),
        (b"[1]", "trial 1 is 1; it must be an object"),
        (b'[{"trial_type": ', "line 1: not valid JSON"),
        (b'{"trial_type": "x"}\n{oops}\n', "line 2: not valid JSON"),
        (b"", "missing columns"),
        (b"\xff\xfe", "line 1: byte 0xff is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(CsvError) as refusal:
        mapped(content)
    assert message in str(refusal.value)


def test_a_row_of_another_width_is_refused_with_its_line() -> None:
    content = as_csv(trials()).split(b"\r\n")
    content[2] += b",more"
    with pytest.raises(CsvError, match="line 3: another number of cells than the header has"):
        mapped(b"\r\n".join(content))


def test_the_command_names_the_file_that_is_wrong(tmp_path: Path, ours: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("columns: {participant: id}")
    with pytest.raises(CommandError, match=r"mapping\.yaml: columns: participant is no column of ours"):
        scored(str(ours), "--mapping", str(mapping))
    with pytest.raises(CommandError, match=r"nowhere\.yaml cannot be read"):
        scored(str(ours), "--mapping", str(tmp_path / "nowhere.yaml"))
