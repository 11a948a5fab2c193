"""How answers collected elsewhere say what our columns say. No Django, usable from a notebook.

A mapping is a YAML or JSON object whose `columns` tells of each of our columns where it is found:

    columns:
      participant_id: PROLIFIC_PID                     # as in a column of theirs
      trial_kind: {value: main}                        # the same in every row
      condition: {column: model, values: {r18: resnet18-avgpool, r50: resnet50-avgpool}}
      chose_target: {column: response, equals: correct_response}
    where: {trial_type: [image-button-response]}       # rows that are answers; others are passed over

`values` names every value that occurs; `equals` gives 1 or 0, and nothing where nothing was answered. `@run`
is the number of the run (a file of JATOS has one a line) and `@row` that of the row, both from 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Self

import yaml

from survey_site.analysis.csv_checks import CsvError
from survey_site.analysis.response_columns import RESPONSE_COLUMNS

OURS = tuple(column.name for column in RESPONSE_COLUMNS)
RUN, ROW = "@run", "@row"
SHAPES = "the name of a column, {value: ...}, {column: ..., values: {...}} or {column: ..., equals: ...}"


class MappingError(CsvError):
    """A mapping that cannot be used; the message names what it says and what is allowed."""


@dataclass(frozen=True)
class Source:
    """Where one of our columns comes from."""

    column: str = ""
    value: str = ""
    values: Mapping[str, str] | None = None
    equals: str = ""

    @classmethod
    def read(cls, ours: str, given: Any) -> Self:
        if isinstance(given, str):
            return cls(column=given)
        keys = set(given) if isinstance(given, dict) else set()
        if keys == {"value"}:
            return cls(value=text_of(given["value"]))
        if keys == {"column", "equals"}:
            return cls(column=str(given["column"]), equals=str(given["equals"]))
        if keys == {"column", "values"} and isinstance(given["values"], dict):
            values = {text_of(theirs): text_of(own) for theirs, own in given["values"].items()}
            return cls(column=str(given["column"]), values=values)
        raise MappingError(f"columns: {ours} is {json.dumps(given, default=str)}; it must be {SHAPES}")

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(name for name in (self.column, self.equals) if name and not name.startswith("@"))

    def cell(self, ours: str, row: Mapping[str, str]) -> str:
        """Raises MappingError for a value that `values` does not name."""
        if not self.column:
            return self.value
        theirs = row[self.column]
        if self.equals:
            return str(int(theirs == row[self.equals])) if theirs else ""
        if self.values is None:
            return theirs
        if theirs not in self.values:
            known = ", ".join(map(repr, self.values))
            raise MappingError(
                f"{self.column} is {theirs!r}, which the values of {ours} do not name: {known}"
            )
        return self.values[theirs]


@dataclass(frozen=True)
class ColumnMapping:
    """A source for each of our columns, and which of their rows are answers."""

    columns: Mapping[str, Source]
    where: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises MappingError for what is no mapping, or names a column that we do not have."""
        try:
            given = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise MappingError(f"neither YAML nor JSON: {error}") from None
        if not isinstance(given, dict) or not isinstance(given.get("columns"), dict):
            raise MappingError(
                "there is no object `columns`; it names for each of our columns where it is found"
            )
        if unknown := set(given) - {"columns", "where"}:
            raise MappingError(f"{', '.join(sorted(map(str, unknown)))}: allowed are columns and where")
        where = given.get("where") or {}
        if not isinstance(where, dict):
            raise MappingError("where must name columns and the values that answers have there")
        return cls(
            {_ours(name): Source.read(str(name), source) for name, source in given["columns"].items()},
            {str(name): _list(value) for name, value in where.items()},
        )

    @property
    def needs(self) -> set[str]:
        """Their columns that it reads."""
        named = {name for source in self.columns.values() for name in source.needs}
        return named | {name for name in self.where if not name.startswith("@")}

    def is_answer(self, row: Mapping[str, str]) -> bool:
        return all(row[name] in allowed for name, allowed in self.where.items())

    def cells(self, row: Mapping[str, str]) -> list[str]:
        return [source.cell(ours, row) for ours, source in self.columns.items()]


def text_of(value: Any) -> str:
    """A value of JSON or YAML as a CSV of jsPsych has it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, default=str)


def _ours(name: Any) -> str:
    if name in OURS:
        return str(name)
    near = get_close_matches(str(name), OURS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise MappingError(f"columns: {name} is no column of ours; {hint}there are: {', '.join(OURS)}")


def _list(value: Any) -> tuple[str, ...]:
    return tuple(map(text_of, value)) if isinstance(value, list) else (text_of(value),)
