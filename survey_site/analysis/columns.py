"""A column of an export: header, rows and data dictionary all come from tables of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from survey_site.analysis.csv_cells import escape

Cell = str | int | float | bool | datetime | UUID | None
Row = TypeVar("Row")


FORMATS: dict[str, Callable[[Any], str]] = {
    "text": lambda text: escape(str(text)),
    "id": str,  # UUIDs and hashes: no spreadsheet takes them for a formula
    "text or number": lambda cell: escape(cell) if isinstance(cell, str) else str(cell),
    "integer": str,
    "number": str,
    "0 or 1": lambda truth: str(int(truth)),
    "UTC time": lambda time: time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
}


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column: its name, the type of its cells, what it means, and how a row answers it.

    `sql` is the same value for the database to write by itself (`exporting.copying`); tables that are only
    ever written row by row have none.
    """

    name: str
    type: str  # one of FORMATS
    description: str
    value: Callable[[Row], Cell]
    sql: str = ""

    def cell(self, row: Row) -> str:
        """The cell as written: empty for None; only text is guarded against being run as a formula."""
        value = self.value(row)
        if value is None:
            return ""
        return FORMATS[self.type](value)
