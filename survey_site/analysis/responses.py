"""Responses with all that the statistics beyond scores need, and what each asks of them. Pure numpy."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from survey_site.analysis.agreement import MISSING
from survey_site.analysis.answers import AnswerTable, ScoredRow
from survey_site.studies.exclusion_rules import SessionFacts

MATCHING = "matching"


class ResponseRow(NamedTuple):
    """One answered reference of one presentation, as in the export.

    kind: main, practice or catch. choice: id of the chosen option, None if nothing was chosen; place,
    answer_place: where it and the right option stood, from 0. is_correct: None without a choice. rt: ms.
    trial_format: `matching` asks several references at once. repeat_of: the presentation that this one
    repeats, or empty. excluded_by: rules, joined by `|`, or empty. mode: real or pilot. seq: place of the
    answer in its session's log, received: when the server stored it, ISO 8601; they order answers that
    nothing marks as repeats, `received` those of several sessions.
    """

    participant: str
    session: str
    condition: str
    item: str
    reference: int
    kind: str
    presentation: str
    repeat_of: str
    choice: str | None
    place: int | None
    answer_place: int | None
    n_options: int | None
    trial_format: str
    is_correct: bool | None
    rt: float | None
    confidence: int | None
    focus_lost: int | None
    target_label: str
    excluded_by: str
    mode: str = ""
    seq: int | None = None
    received: str = ""


def is_scored(row: ResponseRow) -> bool:
    """Answered and of kind main."""
    return row.kind == "main" and row.is_correct is not None


def answer_table(rows: Iterable[ResponseRow]) -> AnswerTable:
    """The scored rows as columns."""
    return AnswerTable.from_rows(
        ScoredRow(
            row.condition,
            row.participant,
            row.item,
            bool(row.is_correct),
            row.n_options,
            row.trial_format or None,
        )
        for row in rows
        if is_scored(row)
    )


def session_facts(
    rows: Iterable[ResponseRow], *, expected: Mapping[str, int], unfinished: Collection[str] = ()
) -> list[SessionFacts]:
    """What exclusion rules ask about every session in `rows`, which come in the order shown.

    `expected`: main presentations planned per session; a session that it does not name expects what it did.
    `unfinished`: sessions that did not come to their end.
    """
    by_session: dict[str, list[ResponseRow]] = {}
    for row in rows:
        by_session.setdefault(row.session, []).append(row)
    return [
        _facts(session, own, expected.get(session), is_finished=session not in unfinished)
        for session, own in by_session.items()
    ]


def ratings(rows: Sequence[ResponseRow], *, by: str) -> NDArray[np.int64]:
    """(participants, units) for `agreement`: `by` is "correct" (1, 0) or "choice" (options by number).

    A unit is one reference of one trial. Of several answers of a participant to it, the one that comes first
    in `rows` counts: in those of `canonical`, the first in time.
    """
    people: dict[str, int] = {}
    units: dict[tuple[str, int], int] = {}
    options: dict[tuple[str, int], dict[str, int]] = {}
    found: dict[tuple[int, int], int] = {}
    for row in filter(is_scored, rows):
        unit = (row.item, row.reference)
        cell = (people.setdefault(row.participant, len(people)), units.setdefault(unit, len(units)))
        numbers = options.setdefault(unit, {})
        choice = numbers.setdefault(row.choice or "", len(numbers))
        found.setdefault(cell, int(bool(row.is_correct)) if by == "correct" else choice)
    table = np.full((len(people), len(units)), MISSING, dtype=np.int64)
    for (person, place), value in found.items():
        table[person, place] = value
    return table


class ItemCells(NamedTuple):
    """answers, hits: (participants, items), rows and those that are right. item_of_unit: place of each unit's
    item. Participants and units are in the order of `ratings`.
    """

    answers: NDArray[np.int64]
    hits: NDArray[np.int64]
    item_of_unit: NDArray[np.int64]


def item_cells(rows: Sequence[ResponseRow]) -> ItemCells:
    """One condition's scored rows by participant and item."""
    people: dict[str, int] = {}
    items: dict[str, int] = {}
    units: dict[tuple[str, int], int] = {}
    scored = [row for row in rows if is_scored(row)]
    person = np.array([people.setdefault(row.participant, len(people)) for row in scored], dtype=np.int64)
    item = np.array([items.setdefault(row.item, len(items)) for row in scored], dtype=np.int64)
    right = np.array([bool(row.is_correct) for row in scored], dtype=np.bool_)
    for row, place in zip(scored, item.tolist(), strict=True):
        units.setdefault((row.item, row.reference), place)
    shape, cell = (len(people), len(items)), person * len(items) + item
    return ItemCells(
        answers=np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape),
        hits=np.bincount(cell[right], minlength=shape[0] * shape[1]).reshape(shape),
        item_of_unit=np.array(list(units.values()), dtype=np.int64),
    )


class Repeats(NamedTuple):
    """Both answers to every repeated reference, as `reliability.retest` takes them."""

    first: NDArray[np.int64]
    again: NDArray[np.int64]
    first_right: NDArray[np.bool_]
    again_right: NDArray[np.bool_]
    participant: NDArray[np.int64]


def repeats(rows: Sequence[ResponseRow]) -> Repeats:
    """Pairs of answers to the same reference, where both showings were answered."""
    shown = {(row.presentation, row.reference): row for row in rows if is_scored(row)}
    pairs = [
        (first, row)
        for row in shown.values()
        if row.repeat_of and (first := shown.get((row.repeat_of, row.reference))) is not None
    ]
    choices: dict[str, int] = {}
    people: dict[str, int] = {}
    number = [
        (
            choices.setdefault(first.choice or "", len(choices)),
            choices.setdefault(again.choice or "", len(choices)),
            bool(first.is_correct),
            bool(again.is_correct),
            people.setdefault(again.participant, len(people)),
        )
        for first, again in pairs
    ]
    columns = list(zip(*number, strict=True)) or [()] * 5
    types = (np.int64, np.int64, np.bool_, np.bool_, np.int64)
    return Repeats(*(np.array(column, dtype=kind) for column, kind in zip(columns, types, strict=True)))


class Timed(NamedTuple):
    """One time a presentation, in ms (NaN: none), whether all its references are right, and whose it is."""

    rt: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    participant: NDArray[np.int64]


def timed(rows: Sequence[ResponseRow]) -> Timed:
    """What reaction times take: a matching trial is answered once, whatever it asks."""
    shown: dict[object, list[ResponseRow]] = {}
    for place, row in enumerate(rows):
        shown.setdefault(row.presentation or place, []).append(row)
    people: dict[str, int] = {}  # in the rows' order: names must not matter
    return Timed(
        numbers(own[0].rt for own in shown.values()),
        np.array([all(row.is_correct for row in own) for own in shown.values()], dtype=np.bool_),
        np.array([people.setdefault(own[0].participant, len(people)) for own in shown.values()], np.int64),
    )


def numbers(values: Iterable[float | int | None]) -> NDArray[np.float64]:
    """As floats, NaN for None."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _facts(
    session: str, rows: Sequence[ResponseRow], expected: int | None, *, is_finished: bool
) -> SessionFacts:
    main = [row for row in rows if row.kind == "main"]
    catch = [row for row in rows if row.kind == "catch" and row.is_correct is not None]
    answered = {row.presentation for row in main if row.is_correct is not None}
    # One answer time and one focus count per presentation, however many references it has.
    once = {row.presentation: row for row in main}
    return SessionFacts(
        session=session,
        catch_right=sum(bool(row.is_correct) for row in catch),
        catch_answered=len(catch),
        expected=len(once) if expected is None else expected,
        answered=len(answered),
        rts=tuple(row.rt for row in once.values() if row.rt is not None and row.is_correct is not None),
        places=tuple(row.place for row in main if row.place is not None and row.trial_format != MATCHING),
        focus_lost=sum(row.focus_lost or 0 for row in {row.presentation: row for row in rows}.values()),
        is_finished=is_finished,
    )
