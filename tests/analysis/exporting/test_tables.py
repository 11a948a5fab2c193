"""The same answers as a long, a wide and a typed table, read by the csv module, pandas and pyarrow."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from survey_site.access.roles import ExportLevel
from survey_site.analysis.columns import FORMATS
from survey_site.analysis.csv_cells import unescape
from survey_site.analysis.exporting.copying import response_columns
from survey_site.analysis.exporting.parquet import TYPES
from survey_site.analysis.exporting.rows import export_rows
from survey_site.analysis.exporting.selection import ExportRefused, Filters, Selection
from survey_site.analysis.response_columns import RESPONSE_COLUMNS
from survey_site.participation.models import Presentation, Response, StudySession
from tests.analysis.answered_study import AnsweredStudy
from tests.analysis.exporting.awkward import make_awkward
from tests.analysis.exporting.reading import exported, table, typed

PANDAS = {"integer": "Int64", "number": "float64", "0 or 1": "Int64"}


@pytest.fixture
def selection(answered: AnsweredStudy) -> Selection:
    """Awkward answers of two versions, at the level that shows most."""
    answered.answer(n=9)
    answered.new_version()
    answered.answer(n=2, seed=1)
    make_awkward(answered)
    return Selection(answered.study, level=ExportLevel.FULL)


def true_values(selection: Selection) -> list[list[Any]]:
    """What the cells of every row stand for, from Python's road, text as it was given."""
    return [
        [typed(column.type, unescape(column.cell(row))) for column in response_columns(selection)]
        for row in export_rows(selection)
    ]


def test_pandas_reads_the_long_file_to_identical_values(selection: Selection) -> None:
    columns = response_columns(selection)
    read = pandas.read_csv(
        io.BytesIO(exported("responses.csv", selection)),
        dtype={column.name: PANDAS.get(column.type, "str") for column in columns},
        keep_default_na=False,
        na_values={column.name: [""] for column in columns},
        lineterminator="\n",
    )
    values = [
        [None if pandas.isna(cell) else cell for cell in row]
        for row in read.itertuples(index=False, name=None)
    ]
    for row in values:
        for place, column in enumerate(columns):
            if column.type in ("text", "id", "UTC time") and row[place] is not None:
                row[place] = unescape(str(row[place]))
    assert values == true_values(selection)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_reads_the_long_file_to_identical_values(selection: Selection, tmp_path: Path) -> None:
    (tmp_path / "responses.csv").write_bytes(exported("responses.csv", selection))
    program = (
        'd <- read.csv("responses.csv", na.strings = "", colClasses = "character"); '
        'write.csv(d, "again.csv", row.names = FALSE, na = "")'
    )
    subprocess.run(["Rscript", "-e", program], cwd=tmp_path, check=True)
    assert table((tmp_path / "again.csv").read_bytes()) == table((tmp_path / "responses.csv").read_bytes())


def test_parquet_has_the_same_values_with_types(selection: Selection) -> None:
    read = pq.read_table(pa.BufferReader(exported("responses.parquet", selection)))
    columns = response_columns(selection)
    assert [(field.name, field.type) for field in read.schema] == [
        (column.name, TYPES[column.type]) for column in columns
    ]
    assert all(
        field.metadata[b"description"].decode() == column.description
        for field, column in zip(read.schema, columns, strict=True)
    )
    at = next(place for place, column in enumerate(columns) if column.name == "server_received_utc")
    values = [list(row.values()) for row in read.to_pylist()]
    for row in values:
        row[at] = row[at].isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert values == true_values(selection)


def test_parquet_of_many_batches_has_several_row_groups(
    answered: AnsweredStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("survey_site.analysis.exporting.copying.ROWS_PER_BATCH", 20)
    monkeypatch.setattr("survey_site.analysis.exporting.parquet.ROWS_PER_GROUP", 30)
    answered.answer(n=10)
    file = pq.ParquetFile(pa.BufferReader(exported("responses.parquet", Selection(answered.study))))
    assert file.metadata.num_rows == 110
    assert file.metadata.num_row_groups > 2


def test_types_of_columns_are_known_to_every_format() -> None:
    assert set(TYPES) == set(FORMATS) - {"text or number"}


@pytest.mark.parametrize("name", ["responses.csv", "wide.csv", "responses.parquet"])
def test_a_study_without_answers_has_a_header(answered: AnsweredStudy, name: str) -> None:
    content = exported(name, Selection(answered.study))
    if name == "responses.parquet":
        empty = pq.read_table(pa.BufferReader(content))
        assert (empty.num_rows, len(empty.schema)) == (0, len(RESPONSE_COLUMNS))
    else:
        assert content.count(b"\n") == 1


def test_wide_has_one_row_per_session_with_the_long_files_answers(answered: AnsweredStudy) -> None:
    answered.answer(n=3)
    answered.new_version()
    answered.answer(n=2, seed=1)
    selection = Selection(answered.study)
    wide, long = table(exported("wide.csv", selection)), table(exported("responses.csv", selection))
    items = {
        row["stimulus_id"]: row["item"] for row in table(exported("stimuli.csv", selection)) if row["item"]
    }
    assert [row["session_id"] for row in wide] == list(dict.fromkeys(row["session_id"] for row in long))
    assert len(wide[0]) == 11 + 2 * 11 * 4
    by_session = {row["session_id"]: row for row in wide}
    expected = {row["session_id"]: 0 for row in wide}
    for answer in long:
        row, stem = by_session[answer["session_id"]], items[answer["reference"]]
        for measure in ("chose_target", "response", "rt", "confidence"):
            assert row[f"{stem}_{measure}"] == answer[measure]
            expected[answer["session_id"]] += answer[measure] != ""
    for row in wide:
        assert (
            sum(cell != "" for name, cell in row.items() if name[:1] == "v" and "_t" in name)
            == (expected[row["session_id"]])
        )


def test_a_second_showing_has_columns_of_its_own(answered: AnsweredStudy) -> None:
    [session, other] = answered.answer(n=2, share=1)
    first = session.presentations.get(trial=answered.trials[0])
    again = Presentation.objects.create(
        session=session, trial=first.trial, position=99, option_order=[1, 0], repeat_of=first
    )
    entry = session.log.create(seq=99, kind="response", payload={})
    reference = first.trial.references.get()
    Response.objects.create(
        presentation=again, reference=reference, option=reference.answer, entry=entry, rt=77.5
    )
    rows = {row["session_id"]: row for row in table(exported("wide.csv", Selection(answered.study)))}
    assert rows[str(session.pk)]["v1_t0_rt"] == "512.25"
    assert rows[str(session.pk)]["v1_t0_n2_rt"] == "77.5"
    assert rows[str(other.pk)]["v1_t0_n2_rt"] == ""
    assert "v1_t1_n2_rt" not in rows[str(session.pk)]


def test_wide_keeps_sessions_that_answered_nothing(answered: AnsweredStudy) -> None:
    sessions = answered.answer(n=3)
    Response.objects.filter(presentation__session=sessions[1]).delete()
    rows = table(exported("wide.csv", Selection(answered.study)))
    ordered = list(StudySession.objects.order_by("created_at", "pk"))
    assert [row["session_id"] for row in rows] == [str(session.pk) for session in ordered]
    by_session = {row["session_id"]: row for row in rows}
    assert by_session[str(sessions[1].pk)]["v1_t0_rt"] == ""
    assert by_session[str(sessions[2].pk)]["v1_t0_rt"] == "512.25"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "test"}, "mode is 'test'; allowed: real, pilot"),
        ({"version": "two"}, "version is 'two'; allowed: the number of a version, such as 1"),
        ({"version": "0"}, "version is '0'; allowed"),
        ({"version": "²"}, "version is '²'; allowed"),
        ({"exclusions": "no"}, "exclusions is 'no'; allowed: marked, applied"),
        ({"since": "yesterday"}, "since is 'yesterday'; allowed: a day, such as 2026-01-31"),
        ({"until": "2026-02-30"}, "until is '2026-02-30'; allowed"),
        ({"since": "2026-02-02", "until": "2026-02-01"}, "since \\(2026-02-02\\) is after until"),
    ],
)
def test_filters_that_mean_nothing_are_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(ExportRefused, match=message):
        Filters.read(given)


def test_an_unknown_version_is_refused_and_filters_survive_being_stored(answered: AnsweredStudy) -> None:
    with pytest.raises(ExportRefused, match="study 'faces' has no version 7; versions: 1"):
        Selection(answered.study, Filters(version=7))
    given = Filters.read(
        {
            "mode": "pilot",
            "version": "1",
            "exclusions": "applied",
            "since": "2026-01-01",
            "until": "2026-01-02",
        }
    )
    assert Filters.read(given.to_dict()) == given
