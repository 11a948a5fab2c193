"""Answers of jsPsych or JATOS as lines of a CSV in our format, by a mapping. No Django.

What they come as is told from the first character: a JSON array of trials (jsPsych), one such array a line
(JATOS), or CSV. A line of ours has the number of theirs, so that whoever reads them names it; of JSON, the
trial's number plus one, as if it were a CSV.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from survey_site.analysis.column_mapping import ROW, RUN, ColumnMapping, MappingError, text_of
from survey_site.analysis.csv_checks import CsvError
from survey_site.analysis.csv_rows import decoded

Numbered = tuple[int, Mapping[str, str]]


def mapped_lines(lines: Iterable[bytes], mapping: ColumnMapping) -> Iterator[bytes]:
    """Raises CsvError, which names line or trial, for what cannot be read or mapped."""
    yield _line(list(mapping.columns))
    written = 1
    for line, row in _rows(lines, mapping):
        try:
            is_answer = mapping.is_answer(row)
            cells = mapping.cells(row) if is_answer else []
        except MappingError as error:
            raise CsvError(f"line {line}: {error}") from None
        if is_answer:
            yield b"\n" * (line - written - 1)
            text = _line([cell.replace("\r", " ").replace("\n", " ") for cell in cells])
            yield text
            written = line


def _line(cells: list[str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()


def _rows(lines: Iterable[bytes], mapping: ColumnMapping) -> Iterator[Numbered]:
    remaining = iter(decoded(lines))
    first = next(remaining, "")
    everything = _chained(first, remaining)
    start = first.lstrip("\ufeff \t\r\n")[:1]
    return _of_json(everything, mapping) if start in ("[", "{") else _of_csv(everything, mapping)


def _chained(first: str, others: Iterator[str]) -> Iterator[str]:
    yield first
    yield from others


def _of_csv(lines: Iterator[str], mapping: ColumnMapping) -> Iterator[Numbered]:
    reader = csv.DictReader(lines, strict=True)
    try:
        _refuse_missing(mapping, reader.fieldnames or [])
        for number, row in enumerate(reader, start=1):
            if None in row or None in row.values():
                raise CsvError(f"line {reader.line_num}: another number of cells than the header has")
            yield reader.line_num, {**row, RUN: "1", ROW: str(number)}
    except csv.Error as error:
        raise CsvError(f"line {reader.line_num}: not valid CSV: {error}") from None


def _of_json(lines: Iterator[str], mapping: ColumnMapping) -> Iterator[Numbered]:
    number, seen = 0, set[str]()
    for run, trials in enumerate(_runs(lines), start=1):
        for trial in trials:
            number += 1
            if not isinstance(trial, dict):
                raise CsvError(f"trial {number} is {json.dumps(trial)[:60]}; it must be an object")
            row = {name: text_of(value) for name, value in trial.items()}
            seen |= row.keys()
            # jsPsych writes only what a plugin recorded: what is not there is empty.
            absent = dict.fromkeys(mapping.needs - row.keys(), "")
            yield number + 1, {**absent, **row, RUN: str(run), ROW: str(number)}
    _refuse_missing(mapping, sorted(seen))


def _runs(lines: Iterator[str]) -> Iterator[list[Any]]:
    """Arrays of trials: the whole file is one, or every line is."""
    first = next(lines)
    try:
        head = json.loads(first)
    except json.JSONDecodeError:
        yield _array(first + "".join(lines), 1)
        return
    yield head if isinstance(head, list) else [head]
    for line, text in enumerate(lines, start=2):
        if text.strip():
            yield _array(text, line)


def _array(text: str, line: int) -> list[Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise CsvError(f"line {line + error.lineno - 1}: not valid JSON: {error.msg}") from None
    return found if isinstance(found, list) else [found]


def _refuse_missing(mapping: ColumnMapping, header: Iterable[str]) -> None:
    missing = sorted(mapping.needs - set(header))
    if missing:
        raise CsvError(
            f"missing column{'s' * (len(missing) > 1)} {', '.join(missing)}, which the mapping names; "
            f"there are: {', '.join(header)}"
        )
