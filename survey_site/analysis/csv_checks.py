"""What the rows of one file of responses may not say against each other."""

import re
from collections.abc import Iterator

from survey_site.analysis.responses import ResponseRow

RULE_NAME = re.compile(r"[A-Za-z]\w*")
#: Words that tell yes from no or nothing instead of naming a rule.
TRUTHS = frozenset(("true", "false", "t", "f", "yes", "no", "y", "n", "none", "null", "nan", "na"))
#: A column, and one that cannot differ between rows of the same value in it.
BELONGS_TO = (
    ("trial_id", "condition"),
    ("session_id", "participant_id"),
    ("presentation_id", "session_id"),
    ("presentation_id", "trial_id"),
)
FIELDS = {
    "trial_id": "item",
    "condition": "condition",
    "session_id": "session",
    "participant_id": "participant",
    "presentation_id": "presentation",
}


class CsvError(ValueError):
    """A file that cannot be scored; the message names the line, the value given and the values allowed."""


def are_rules(cell: str) -> bool:
    """Whether the cell holds names of rules joined by `|`, not a truth or a number."""
    names = [name.strip() for name in cell.split("|")]
    return all(RULE_NAME.fullmatch(name) and name.lower() not in TRUTHS for name in names)


class Identities:
    """What trials, sessions, presentations and repeats are, row by row, and where a row says otherwise."""

    def __init__(self) -> None:
        self._first_of: dict[str, dict[str, tuple[int, ResponseRow]]] = {name: {} for name, _ in BELONGS_TO}
        self._repeats: list[tuple[int, ResponseRow]] = []

    def contradiction(self, line: int, row: ResponseRow) -> str | None:
        """What the row says against an earlier one, None if nothing."""
        if row.repeat_of:
            self._repeats.append((line, row))
        for name, other in BELONGS_TO:
            key, value = getattr(row, FIELDS[name]), getattr(row, FIELDS[other])
            if not key:
                continue
            first_line, first = self._first_of[name].setdefault(key, (line, row))
            before = getattr(first, FIELDS[other])
            if before != value:
                return (
                    f"{name} {key!r} has the {other} {value!r}, and {before!r} in line {first_line}; "
                    f"all its rows must have one"
                )
        return None

    def wrong_repeats(self) -> Iterator[tuple[int, str]]:
        """Line and message of every `repeat_of` that names no other showing of the same trial."""
        for line, row in self._repeats:
            _, first = self._first_of["presentation_id"].get(row.repeat_of, (0, None))
            if first is None:
                said = "which no row has; it must be the presentation_id of another row, or empty"
            elif row.repeat_of == row.presentation:
                said = "the row's own presentation_id; it must be that of another row, or empty"
            elif (first.session, first.item) != (row.session, row.item):
                said = "of another trial or session; it must be of the same, or empty"
            else:
                continue
            yield line, f"repeat_of is {row.repeat_of!r}, {said}"
