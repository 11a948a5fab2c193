"""One row per session: what it is, then the answers to every trial of the chosen versions.

Columns are per trial, not per place in the session, so that a column is one item for everybody and a row of
answers can be analysed as it is; a trial that somebody was not shown is empty. `v2_t14_chose_target` is trial
14 of version 2; `r1` is its second reference where it has several, `n2` its second showing to one person.
stimuli.csv says what each such stem, its `item`, shows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Count

from survey_site.analysis.exporting.copying import ESCAPED, Told, copied
from survey_site.analysis.exporting.csv_text import csv_lines
from survey_site.analysis.exporting.selection import Selection
from survey_site.analysis.exporting.sessions import session_columns, session_rows
from survey_site.analysis.exporting.staging import snapshot
from survey_site.analysis.wide_columns import MEASURES, WIDE_COLUMNS, item_name
from survey_site.participation.models import Presentation
from survey_site.studies.models import TrialReference

ROWS_PER_CHUNK = 50


@dataclass(frozen=True)
class Stem:
    """The columns of one reference of one trial, at one of its showings (from 1)."""

    reference: str
    showing: int
    name: str


def stems(selection: Selection) -> list[Stem]:
    """In the order of versions, trials, references and showings."""
    showings = _most_showings(selection)
    found = []
    references = (
        TrialReference.objects.filter(trial__version__in=selection.versions())
        .annotate(n_references=Count("trial__references"))
        .order_by("trial__version__number", "trial__number", "index")
        .values_list("id", "index", "n_references", "trial_id", "trial__number", "trial__version__number")
    )
    for key, index, n_references, trial, number, version in references:
        name = item_name(version=version, trial=number, reference=index if n_references > 1 else None)
        for showing in range(1, showings.get(trial, 1) + 1):
            found.append(Stem(str(key), showing, name if showing == 1 else f"{name}_n{showing}"))
    return found


def _most_showings(selection: Selection) -> dict[object, int]:
    """Of trials that were shown more than once to one person, how often at most."""
    shown = selection.of_sessions(Presentation.objects.order_by(), "session")
    often = shown.values("session_id", "trial_id").annotate(n=Count("pk")).filter(n__gt=1)
    # By n, so that the largest is what remains.
    return dict(often.order_by("n").values_list("trial_id", "n").distinct())


def wide_header(selection: Selection, found: Sequence[Stem]) -> list[str]:
    own = [column.name for column in session_columns(selection)]
    return [*own, *(f"{stem.name}_{measure}" for stem in found for measure in MEASURES)]


def wide_csv(selection: Selection, told: Told) -> Iterator[bytes]:
    """All chosen sessions, whether they answered or not, in the order in which they began."""
    with snapshot():
        found = stems(selection)
        yield csv_lines([wide_header(selection, found)]).encode()
        places = {(stem.reference, stem.showing): place for place, stem in enumerate(found)}
        answers = _Answers(selection, places, told)
        own = session_columns(selection)
        lines: list[list[str]] = []
        for row in session_rows(selection):
            cells = [column.cell(row) for column in own]
            lines.append(cells + answers.of(str(row.session)))
            if len(lines) == ROWS_PER_CHUNK:
                yield csv_lines(lines).encode()
                lines = []
        yield csv_lines(lines).encode()


class _Answers:
    """The long file's rows, taken session by session as the sessions come, which have the same order."""

    def __init__(self, selection: Selection, places: dict[tuple[str, int], int], told: Told) -> None:
        self._rows = self._read(selection, told)
        self._next = next(self._rows, None)
        self._places = places
        self._empty = [""] * (len(places) * len(MEASURES))

    def of(self, session: str) -> list[str]:
        cells, shown = list(self._empty), dict[str, int]()
        while self._next is not None and self._next[0] == session:
            _, reference, *measures = self._next
            shown[reference] = showing = shown.get(reference, 0) + 1
            at = self._places[reference, showing] * len(MEASURES)
            cells[at : at + len(MEASURES)] = measures
            self._next = next(self._rows, None)
        return cells

    @staticmethod
    def _read(selection: Selection, told: Told) -> Iterator[list[str]]:
        for batch in copied(selection, WIDE_COLUMNS, formats=ESCAPED):
            yield from csv.reader(io.StringIO(batch.csv.decode(), newline=""))
            told(batch.done, batch.total)
