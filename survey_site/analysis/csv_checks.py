"""What the rows of one file of responses may not say against each other."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from survey_site.analysis.canonical import comes_before
from survey_site.analysis.responses import ResponseRow
from survey_site.studies.exclusion_rules import RULES


class CsvError(ValueError):
    """A file that cannot be scored; the message names the line, the value given and the values allowed."""


class _Claim(NamedTuple):
    """All rows of one `of` have one `other`; `key` and `value` say them of a row, None where it does not."""

    of: str
    other: str
    key: Callable[[ResponseRow], Hashable]
    value: Callable[[ResponseRow, Sequence[str]], Hashable]


def _item(row: ResponseRow) -> Hashable:
    return row.item or None


def _unit(row: ResponseRow) -> Hashable:
    return f"{row.item}, reference {row.reference}" if row.item else None


def _session(row: ResponseRow) -> Hashable:
    return row.session or None


def _presentation(row: ResponseRow) -> Hashable:
    return row.presentation or None


def _target(row: ResponseRow, shown: Sequence[str]) -> Hashable:
    return None if row.answer_place is None else shown[row.answer_place]


def _options(row: ResponseRow, shown: Sequence[str]) -> Hashable:
    return "|".join(sorted(shown)) or None


CLAIMS = (
    _Claim("trial_id", "condition", _item, lambda row, _: row.condition),
    _Claim("trial_id", "trial_kind", _item, lambda row, _: row.kind),
    _Claim("trial_id", "trial_format", _item, lambda row, _: row.trial_format or None),
    _Claim("trial_id", "n_options", _item, lambda row, _: row.n_options),
    _Claim("trial_id", "options", _item, _options),
    _Claim("trial_id", "target", _unit, _target),
    _Claim("trial_id", "target_label", _unit, lambda row, _: row.target_label),
    _Claim("session_id", "participant_id", _session, lambda row, _: row.participant),
    _Claim("session_id", "mode", _session, lambda row, _: row.mode),
    _Claim("presentation_id", "session_id", _presentation, lambda row, _: row.session),
    _Claim("presentation_id", "trial_id", _presentation, lambda row, _: row.item),
)


def rules_of(cell: str) -> tuple[str, ...]:
    """Names of exclusion rules, joined by `|` in the cell; ValueError, naming it, for any other name."""
    names = tuple(sorted(name.strip() for name in cell.split("|")))
    for name in names:
        if name not in RULES:
            raise ValueError(
                f"excluded_by is {cell!r}; it must be empty, or names of rules joined by |: "
                f"{', '.join(RULES)}"
            )
    return names


class Identities:
    """What trials, sessions, presentations and repeats are, row by row, and where a row says otherwise."""

    def __init__(self) -> None:
        self._first_of: list[dict[Hashable, tuple[int, Hashable]]] = [{} for _ in CLAIMS]
        self._shown: dict[str, ResponseRow] = {}
        self._repeats: list[tuple[int, ResponseRow]] = []

    def contradiction(self, line: int, row: ResponseRow, shown: Sequence[str]) -> str | None:
        """What the row, whose options are `shown`, says against an earlier one, None if nothing."""
        if row.repeat_of:
            self._repeats.append((line, row))
        if row.presentation:
            self._shown.setdefault(row.presentation, row)
        for claim, first_of in zip(CLAIMS, self._first_of, strict=True):
            key, value = claim.key(row), claim.value(row, shown)
            if key is None or value is None:
                continue
            first_line, before = first_of.setdefault(key, (line, value))
            if before != value:
                return (
                    f"{claim.of} {key!r} has the {claim.other} {value!r}, and {before!r} in line "
                    f"{first_line}; all its rows must have one"
                )
        return None

    def wrong_repeats(self) -> Iterator[tuple[int, str]]:
        """Line and message of every `repeat_of` that names no other, earlier showing of the same trial."""
        for line, row in self._repeats:
            first = self._shown.get(row.repeat_of)
            if first is None:
                said = "which no row has; it must be the presentation_id of another row, or empty"
            elif row.repeat_of == row.presentation:
                said = "the row's own presentation_id; it must be that of another row, or empty"
            elif (first.session, first.item) != (row.session, row.item):
                said = "of another trial or session; it must be of the same, or empty"
            elif comes_before(row, first):
                said = "which came later by client_seq or server_received_utc; a repeat must come after it"
            else:
                continue
            yield line, f"repeat_of is {row.repeat_of!r}, {said}"
        repeated = {row.presentation: (line, row.repeat_of) for line, row in self._repeats}
        yield from circles(repeated)


def circles(repeated: Mapping[str, tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Line and message of every presentation that repeats itself over others; by presentation its line and
    what it repeats.
    """
    for presentation, (line, _) in repeated.items():
        seen, at = {presentation}, repeated[presentation][1]
        while at in repeated and at not in seen:
            seen.add(at)
            at = repeated[at][1]
        if at == presentation:
            yield (
                line,
                f"repeat_of is {repeated[presentation][1]!r}, which in turn repeats {presentation!r}; "
                "of two showings only the later can repeat the other",
            )
