"""Rows as lines of a CSV file: quoted where a cell needs it and ended by a line feed, as COPY does."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import islice

from survey_site.analysis.columns import Column, Row

ROWS_PER_CHUNK = 500


class _Lines:
    """Takes what csv.writer writes with its own line end, for the sake of which it quotes CR and LF alike."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line.removesuffix("\r\n"))


def csv_lines(rows: Iterable[Iterable[str]]) -> str:
    """The rows as text."""
    taken = _Lines()
    csv.writer(taken).writerows(rows)
    return "".join(f"{line}\n" for line in taken.lines)


def csv_header(columns: Iterable[Column]) -> str:
    return csv_lines([[column.name for column in columns]])


def csv_text(columns: tuple[Column[Row], ...], rows: Iterable[Row]) -> Iterator[str]:
    """The header, then some hundred lines at a time."""
    yield csv_header(columns)
    remaining = iter(rows)
    while batch := list(islice(remaining, ROWS_PER_CHUNK)):
        yield csv_lines([column.cell(row) for column in columns] for row in batch)
