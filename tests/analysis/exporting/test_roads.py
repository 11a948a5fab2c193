"""COPY, which writes the responses, and Python, which the statistics read, say the same of every cell."""

from __future__ import annotations

import csv
import io
import struct
from typing import Any

import pytest

from survey_site.access.roles import ExportLevel
from survey_site.analysis.columns import FORMATS, Column
from survey_site.analysis.exporting.copying import ESCAPED, PLAIN, copied, response_columns, responses_csv
from survey_site.analysis.exporting.rows import export_rows
from survey_site.analysis.exporting.selection import Filters, Selection
from survey_site.analysis.response_columns import RECRUITER_COLUMNS, RESPONSE_COLUMNS
from survey_site.participation.models import Response, StudySession
from tests.analysis.answered_study import AnsweredStudy
from tests.analysis.exporting.awkward import TEXTS, make_awkward


def told(done: int, total: int) -> None:
    assert 0 < done <= total


def as_cells(selection: Selection) -> list[list[str]]:
    """What COPY wrote, read back."""
    written = b"".join(responses_csv(selection, told)).decode()
    header, *rows = csv.reader(io.StringIO(written, newline=""), strict=True)
    assert header == [column.name for column in response_columns(selection)]
    return rows


def comparable(column: Column, cell: str) -> str | bytes:
    """Numbers by their bits: 512 and 512.0 are one."""
    return struct.pack("d", float(cell)) if column.type == "number" and cell else cell


def same(selection: Selection) -> int:
    columns, copied_rows = response_columns(selection), as_cells(selection)
    made = [[column.cell(row) for column in columns] for row in export_rows(selection)]
    assert len(copied_rows) == len(made)
    for ours, theirs in zip(copied_rows, made, strict=True):
        for column, one, other in zip(columns, ours, theirs, strict=True):
            assert comparable(column, one) == comparable(column, other), column.name
    return len(made)


def test_every_response_column_is_written_by_both_and_of_a_type_that_both_know() -> None:
    for column in (*RESPONSE_COLUMNS, *RECRUITER_COLUMNS):
        assert column.sql, column.name
        assert column.type in PLAIN
    assert set(PLAIN) == set(ESCAPED) == set(FORMATS) - {"text or number"}


def test_both_say_the_same_of_awkward_text_and_numbers(answered: AnsweredStudy) -> None:
    answered.answer(n=12)
    answered.new_version()
    answered.answer(n=3, seed=1)
    make_awkward(answered)
    selection = Selection(answered.study, level=ExportLevel.FULL)
    assert same(selection) == 15 * 11
    cells = {cell for row in as_cells(selection) for cell in row}
    for text in TEXTS:
        assert text in cells or f"'{text}" in cells
    assert {repr(number) for number in (0.1 + 0.2, 1 / 3, 123456789012345.67)} <= cells


@pytest.mark.parametrize(
    "filters",
    [
        {"version": 2},
        {"mode": "pilot"},
        {"exclusions": "applied"},
        {"since": "2026-01-02", "until": "2026-01-03"},
        {"until": "1999-01-01"},
    ],
    ids=str,
)
def test_both_choose_the_same_rows(answered: AnsweredStudy, filters: dict[str, Any]) -> None:
    answered.answer(n=3)
    answered.answer(n=2, mode="pilot")
    answered.new_version()
    answered.answer(n=2)
    make_awkward(answered)
    same(Selection(answered.study, Filters.read(filters)))


def test_rows_come_in_batches_that_together_are_all_rows_once(
    answered: AnsweredStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("survey_site.analysis.exporting.copying.ROWS_PER_BATCH", 25)
    answered.answer(n=11)
    selection = Selection(answered.study)
    batches = list(copied(selection, RESPONSE_COLUMNS))
    assert [batch.n_rows for batch in batches] == [44, 22, 22, 22, 11]
    assert [(batch.done, batch.total) for batch in batches] == [(4, 11), (6, 11), (8, 11), (10, 11), (11, 11)]
    assert same(selection) == 121
    keys = [(row[24], row[27]) for row in as_cells(selection)]
    assert len(set(keys)) == len(keys) == 121


def test_sessions_without_answers_take_no_row_and_stop_nothing(answered: AnsweredStudy) -> None:
    answered.answer(n=5)
    first = StudySession.objects.order_by("created_at", "pk")[:4]
    Response.objects.filter(presentation__session__in=list(first)).delete()
    assert same(Selection(answered.study)) == 11


def test_recruiter_ids_are_in_full_exports_alone(answered: AnsweredStudy) -> None:
    answered.answer(n=2)
    make_awkward(answered)
    parts = [
        b"".join(responses_csv(Selection(answered.study, level=level), told)).decode()
        for level in (ExportLevel.DEIDENTIFIED, ExportLevel.FULL)
    ]
    assert [f"{1:064x}" in part for part in parts] == [False, True]
    assert ["submission_id" in part for part in parts] == [False, True]
    assert ["'=s1" in part for part in parts] == [False, True]
