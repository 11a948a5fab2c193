"""Scored answers as columns of integer codes: what every statistic here starts from. Pure numpy.

A million answers are a few arrays instead of a million objects::

    >>> table = AnswerTable.from_columns(
    ...     condition=["resnet"] * 4, participant=["a", "a", "b", "b"], item=["1", "2", "1", "2"],
    ...     is_correct=[True, True, False, True],
    ... )
    >>> len(table), table.participants, table.cells("resnet").hits.sum()
    (4, ('a', 'b'), np.int64(3))
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from survey_site.analysis.cells import CellTable

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

ROWS_AT_ONCE = 50_000


class ScoringError(ValueError):
    """Rows or settings that cannot be scored; the message names the value given and the values allowed."""


class ScoredRow(NamedTuple):
    """One answered reference of one main trial.

    condition: slug. participant, item: any stable ids; the item is the trial's id.
    is_correct: True if the chosen option answers the reference.
    n_options: how many options the trial offered (2 or more), None where unknown. trial_format: as in the
    export (`two_afc`, `matching`, ...), None where unknown.
    """

    condition: str
    participant: str
    item: str
    is_correct: bool
    n_options: int | None = None
    trial_format: str | None = None


@dataclass(frozen=True, eq=False)
class AnswerTable:
    """Answers as columns of equal length; codes index the tuple of names beside them.

    is_correct: bool. n_options: 2 or more, 0 where unknown. trial_formats: "" where unknown. A name may be
    without an answer (a condition that nobody saw); it simply has no cells.
    """

    conditions: tuple[str, ...]
    participants: tuple[str, ...]
    items: tuple[str, ...]
    condition: IntArray
    participant: IntArray
    item: IntArray
    is_correct: BoolArray
    n_options: IntArray
    trial_formats: tuple[str, ...]
    trial_format: IntArray

    def __post_init__(self) -> None:
        for name in ("participant", "item", "is_correct", "n_options", "trial_format"):
            given, expected = len(getattr(self, name)), len(self.condition)
            if given != expected:
                raise ScoringError(f"{name} has {given} values where condition has {expected}")
        for name in ("condition", "participant", "item", "trial_format"):
            codes, names = getattr(self, name), getattr(self, name + "s")
            if len(codes) and not 0 <= codes.min() <= codes.max() < len(names):
                raise ScoringError(
                    f"{name} has codes from {codes.min()} to {codes.max()}; "
                    f"they must lie between 0 and {len(names) - 1}, one for each of the names"
                )
        wrong = self.n_options[(self.n_options < 2) & (self.n_options != 0)]
        if len(wrong):
            raise ScoringError(f"n_options is {int(wrong[0])!r}; it must be 2 or more")

    @classmethod
    def from_columns(
        cls,
        *,
        condition: Sequence[Any] | NDArray[Any],
        participant: Sequence[Any] | NDArray[Any],
        item: Sequence[Any] | NDArray[Any],
        is_correct: Sequence[Any] | NDArray[Any],
        n_options: Sequence[int | None] | NDArray[Any] | None = None,
        trial_format: Sequence[str | None] | NDArray[Any] | None = None,
    ) -> "AnswerTable":
        """Columns of equal length: ids of any kind (`str` is the name), True, False, 1 or 0, and counts.

        Raises ScoringError for any other `is_correct`, for `n_options` that are no whole numbers from 2, for
        a missing name (None, NaN) and for unequal lengths.
        """
        conditions, condition_codes = _coded(condition)
        participants, participant_codes = _coded(participant)
        items, item_codes = _coded(item)
        unknown = np.zeros(len(condition_codes), dtype=np.int64)
        formats, format_codes = (("",), unknown) if trial_format is None else _formats(trial_format)
        return cls(
            conditions=conditions,
            participants=participants,
            items=items,
            condition=condition_codes,
            participant=participant_codes,
            item=item_codes,
            is_correct=_truths(is_correct),
            n_options=unknown if n_options is None else _options(n_options),
            trial_formats=formats,
            trial_format=format_codes,
        )

    @classmethod
    def from_rows(cls, rows: Iterable[ScoredRow]) -> "AnswerTable":
        """From an iterator of any length; what is kept is a few bytes per row. Errors as `from_columns`."""
        coders: tuple[dict[str | None, int], ...] = ({}, {}, {}, {})
        parts: list[tuple[NDArray[Any], ...]] = []
        remaining = iter(rows)
        while batch := list(islice(remaining, ROWS_AT_ONCE)):
            condition, participant, item, is_correct, n_options, trial_format = zip(*batch, strict=True)
            codes = [
                np.fromiter((coder.setdefault(name, len(coder)) for name in column), np.int64, len(batch))
                for coder, column in zip(coders, (condition, participant, item, trial_format), strict=True)
            ]
            parts.append((*codes[:3], _truths(is_correct), _options(n_options), codes[3]))
        for coder in coders[:3]:
            _refuse_missing(coder)
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)] or [
            np.zeros(0, dtype) for dtype in (np.int64, np.int64, np.int64, np.bool_, np.int64, np.int64)
        ]
        conditions, participants, items, formats = (tuple(name or "" for name in coder) for coder in coders)
        return cls(
            conditions=conditions,
            participants=participants,
            items=items,
            condition=columns[0],
            participant=columns[1],
            item=columns[2],
            is_correct=columns[3],
            n_options=columns[4],
            trial_formats=formats,
            trial_format=columns[5],
        )

    def __len__(self) -> int:
        return len(self.condition)

    def seen_conditions(self) -> list[str]:
        """Conditions with an answer, in the order of their names."""
        return sorted(self.conditions[code] for code in np.unique(self.condition))

    def cells(self, condition: str) -> CellTable:
        """One condition's answers and hits per participant and item. ScoringError if nobody saw it."""
        return self._cells(self._rows_of(condition))

    def grid(self, condition: str) -> tuple[tuple[str, ...], IntArray, IntArray]:
        """Its items' names, and answers and hits, each (all participants, items). Errors as `cells`."""
        rows = self._rows_of(condition)
        names, item = self._items_of(rows)
        return names, *self._counted(self.participant[rows], item, rows, (len(self.participants), len(names)))

    def all_cells(self) -> Iterator[tuple[str, CellTable, IntArray]]:
        """Every condition with an answer: its name, its cells and its rows' n_options, in order of names."""
        order = np.argsort(self.condition, kind="stable")
        ends = np.cumsum(np.bincount(self.condition, minlength=len(self.conditions)))
        for code in sorted(np.unique(self.condition), key=lambda code: self.conditions[code]):
            rows = order[(ends[code - 1] if code else 0) : ends[code]]
            yield self.conditions[code], self._cells(rows), self.n_options[rows]

    def where(self, kept: BoolArray) -> "AnswerTable":
        """The rows for which `kept` (one truth per row) holds."""
        columns = ("condition", "participant", "item", "is_correct", "n_options", "trial_format")
        return replace(self, **{name: getattr(self, name)[kept] for name in columns})

    def regrouped(self, group: Callable[[str], str | None]) -> "AnswerTable":
        """Conditions renamed by `group`, those of one name pooled; None leaves a condition out."""
        return self._grouped([group(name) for name in self.conditions], self.condition)

    def regrouped_by_answer(self, group: Sequence[str | None]) -> "AnswerTable":
        """Each answer's group (its target's class, say) as its condition; answers without one are left out.

        By answer and not by item, since a matching trial asks about several targets.
        """
        if len(group) != len(self):
            raise ScoringError(f"{len(group)} groups were given for {len(self)} answers; one each is needed")
        names, codes = _coded([name or "" for name in group])
        return self._grouped([name or None for name in names], codes)

    def options_of(self, condition: str) -> frozenset[int]:
        """How many options its answered trials had; 0 where unknown. Equal sets: the same chance level."""
        rows = self.condition == self.conditions.index(condition)
        return frozenset(np.unique(self.n_options[rows]).tolist())

    def formats_seen(self) -> dict[str, frozenset[str]]:
        """By condition the formats of its answered trials; "" where unknown."""
        width = len(self.trial_formats)
        pairs = np.bincount(self.condition * width + self.trial_format)
        found: dict[str, set[str]] = {}
        for pair in np.flatnonzero(pairs).tolist():
            found.setdefault(self.conditions[pair // width], set()).add(self.trial_formats[pair % width])
        return {condition: frozenset(formats) for condition, formats in found.items()}

    def _grouped(self, groups: Sequence[str | None], codes: IntArray) -> "AnswerTable":
        names = sorted({name for name in groups if name is not None})
        places = {name: place for place, name in enumerate(names)}
        new = np.array([-1 if name is None else places[name] for name in groups], dtype=np.int64)
        rows = new[codes] if len(codes) else codes
        kept = self.where(rows >= 0)
        return replace(kept, conditions=tuple(names), condition=rows[rows >= 0])

    def _cells(self, rows: IntArray) -> CellTable:
        """Items by name, participants by what they answered, so that their names do not matter."""
        people = _local(self.participant[rows], len(self.participants))
        names, item = self._items_of(rows)
        return CellTable.in_own_order(*self._counted(people, item, rows, (int(people.max()) + 1, len(names))))

    def _rows_of(self, condition: str) -> IntArray:
        found = self.conditions.index(condition) if condition in self.conditions else -1
        rows = np.flatnonzero(self.condition == found)
        if not len(rows):
            seen = ", ".join(self.seen_conditions()) or "none"
            raise ScoringError(f"condition {condition!r} has no answers; conditions with answers: {seen}")
        return rows

    def _items_of(self, rows: IntArray) -> tuple[tuple[str, ...], IntArray]:
        """Names of these rows' items, sorted, and each row's place among them."""
        present = np.unique(self.item[rows])
        present = present[np.argsort(np.array([self.items[code] for code in present]), kind="stable")]
        place = np.zeros(len(self.items), dtype=np.int64)
        place[present] = np.arange(len(present))
        return tuple(self.items[code] for code in present), place[self.item[rows]]

    def _counted(
        self, people: IntArray, item: IntArray, rows: IntArray, shape: tuple[int, int]
    ) -> tuple[IntArray, IntArray]:
        """Answers and hits of these rows per participant and item."""
        cell = people * shape[1] + item
        answers = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
        hits = np.bincount(cell[self.is_correct[rows]], minlength=answers.size).reshape(shape)
        return answers, hits


def _coded(column: Sequence[Any] | NDArray[Any]) -> tuple[tuple[str, ...], IntArray]:
    """Distinct values as names, and each row's code."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "iu":
        values, codes = np.unique(column, return_inverse=True)
        return tuple(map(str, values.tolist())), codes.astype(np.int64)
    coder: dict[str, int] = {}
    codes = np.fromiter((coder.setdefault(str(name), len(coder)) for name in column), np.int64, len(column))
    _refuse_missing(column)
    return tuple(coder), codes


def _refuse_missing(names: Iterable[Any]) -> None:
    if any(name is None or name != name for name in names):  # NaN alone differs from itself
        raise ScoringError("a condition, participant or item is missing (None or NaN); each answer needs all")


def _formats(column: Sequence[str | None] | NDArray[Any]) -> tuple[tuple[str, ...], IntArray]:
    return _coded([name or "" for name in column])


def _truths(column: Sequence[Any] | NDArray[Any]) -> BoolArray:
    values = np.asarray(column)
    if values.dtype == np.bool_:
        return values
    for value in column:
        if value not in (0, 1):
            raise ScoringError(f"is_correct is {value!r}; it must be True, False, 1 or 0")
    return values.astype(np.bool_)


def _options(column: Sequence[int | None] | NDArray[Any]) -> IntArray:
    if isinstance(column, np.ndarray) and column.dtype.kind in "iu":
        return column.astype(np.int64)
    known = [None if value is None or value != value else value for value in column]
    for value in set(known):
        if value is not None and (value < 2 or value != int(value)):
            raise ScoringError(f"n_options is {value:g}; it must be a whole number, 2 or more")
    return np.fromiter((value or 0 for value in known), np.int64, len(known))


def _local(codes: IntArray, n_codes: int) -> IntArray:
    """Codes renumbered from 0 without gaps, keeping their order."""
    present = np.zeros(n_codes, dtype=np.bool_)
    present[codes] = True
    return (np.cumsum(present) - 1)[codes]
