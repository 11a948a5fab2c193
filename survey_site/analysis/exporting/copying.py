"""The responses as the database itself writes them: COPY, some sessions at a time.

It is a hundred times as fast as rows that Python makes, and neither side ever holds more than a few thousand
of them. What a column says is its `sql`; `tests/analysis/exporting/test_roads.py` holds it to its `value`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.db import connection

from survey_site.analysis.columns import Column
from survey_site.analysis.csv_cells import FORMULA_STARTS
from survey_site.analysis.exporting.csv_text import csv_header
from survey_site.analysis.exporting.selection import Selection
from survey_site.analysis.exporting.staging import Staged, snapshot, stage
from survey_site.analysis.response_columns import RECRUITER_COLUMNS, RESPONSE_COLUMNS

#: About how many rows are read at a time: one to four megabytes.
ROWS_PER_BATCH = 8000
FIRST_SESSIONS = 4
#: Told how many of how many sessions, or files, are written.
Told = Callable[[int, int], None]

_FORMULA_CODES = ", ".join(str(ord(start)) for start in FORMULA_STARTS)

# As `columns.FORMATS` writes them. An empty text is no value, as everywhere in the exports.
PLAIN: dict[str, str] = {
    "text": "nullif({sql}, '')",
    "id": "{sql}",
    "integer": "{sql}",
    "number": "{sql}",
    "0 or 1": "({sql})::int",
    "UTC time": """to_char(({sql}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')""",
}
ESCAPED = PLAIN | {
    "text": f"CASE WHEN ascii({{sql}}) IN ({_FORMULA_CODES}) THEN '''' || {{sql}} "
    "ELSE nullif({sql}, '') END"
}


@dataclass(frozen=True)
class Batch:
    """Some sessions' rows as CSV without a header, and how many sessions of how many are through."""

    csv: bytes
    n_rows: int
    done: int
    total: int


def response_columns(selection: Selection) -> tuple[Column, ...]:
    return (*RESPONSE_COLUMNS, *RECRUITER_COLUMNS) if selection.is_full else RESPONSE_COLUMNS


def responses_csv(selection: Selection, told: Told) -> Iterator[bytes]:
    """All chosen responses, one row each, the header first; sessions in the order in which they began."""
    columns = response_columns(selection)
    yield csv_header(columns).encode()
    for batch in copied(selection, columns):
        yield batch.csv
        told(batch.done, batch.total)


def copied(
    selection: Selection, columns: Sequence[Column], *, formats: dict[str, str] = ESCAPED
) -> Iterator[Batch]:
    """The columns of the chosen responses, by session, position and reference, of one moment."""
    with snapshot():
        staged = stage(selection)
        done, step = 0, FIRST_SESSIONS
        while done < staged.n_sessions:
            until = min(done + step, staged.n_sessions)
            batch = _batch(_query(staged, columns, formats, done, until), until, staged.n_sessions)
            yield batch
            step = _next_step(until - done, batch.n_rows)
            done = until


def _next_step(n_sessions: int, n_rows: int) -> int:
    """How many sessions should have about as many rows as are read at a time; it grows by bounds."""
    wanted = n_sessions * ROWS_PER_BATCH // max(n_rows, 1)
    return max(1, min(wanted, 4 * n_sessions))


def _batch(query: str, done: int, total: int) -> Batch:
    written = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT WITH (FORMAT csv, ENCODING 'UTF8')", written)
        return Batch(written.getvalue(), cursor.rowcount, done, total)


def _query(staged: Staged, columns: Sequence[Column], formats: dict[str, str], after: int, until: int) -> str:
    cells = ", ".join(formats[column.type].format(sql=column.sql) for column in columns)
    shown = ", ".join(f"i.options[1 + s.shown[{place}]]" for place in range(1, staged.most_options + 1))
    # array_to_string leaves out the places that a trial with fewer options does not have.
    return f"""
        SELECT {cells}
        FROM {staged.sessions} AS s
        JOIN participation_presentation AS p ON p.session_id = s.id
        JOIN participation_response AS r ON r.presentation_id = p.id
        JOIN participation_logentry AS e ON e.id = r.entry_id
        JOIN {staged.items} AS i ON i.reference_id = r.reference_id
        CROSS JOIN LATERAL (
            SELECT array_to_string(ARRAY[{shown}], '|') AS options,
                   array_position(s.shown, i.answer) - 1 AS answer_place,
                   array_position(s.shown, array_position(i.options, r.option_id) - 1) - 1 AS chosen_place
            FROM (SELECT translate(p.option_order::text, '[]', '{{}}')::int[] AS shown) AS s
        ) AS o
        WHERE s.place > {after} AND s.place <= {until}
        ORDER BY s.place, p.position, i.place
    """  # noqa: S608
