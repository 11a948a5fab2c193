"""Responses out of a CSV in our format, for scoring. No Django, usable from a notebook::

with open("responses.csv", "rb") as file:
    scores = score_conditions(ResponseFile(file).rows())
"""

import csv
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from survey_site.analysis.answers import ScoredRow
from survey_site.analysis.csv_cells import unescape
from survey_site.analysis.csv_checks import CsvError, Identities, circles, rules_of
from survey_site.analysis.responses import ResponseRow

REQUIRED = ("participant_id", "condition", "trial_id", "trial_kind", "chose_target")
#: What `full_rows` needs beside them, for the statistics beyond scores.
REQUIRED_IN_FULL = (
    *REQUIRED,
    "session_id",
    "reference_index",
    "presentation_id",
    "repeat_of",
    "response",
    "options",
    "answer_position",
    "trial_format",
    "rt",
    "confidence",
    "focus_lost",
    "target_label",
    "excluded_by",
)
KINDS = ("main", "practice", "catch")
TRIAL_FORMATS = ("two_afc", "matching", "classification", "odd_one_out")
#: `1.0` and `0.0` are how pandas, and `NA` how R, write such a column back when some cells are empty.
ANSWERS = {"1": True, "0": False, "": None, "1.0": True, "0.0": False, "NA": None}


class ResponseFile:
    """One pass over a CSV of responses, line by line, so that its size does not matter.

    `lines` are the file's lines as bytes (an open binary file will do): UTF-8, comma separated, a header
    with at least the columns of REQUIRED, in any order. `n_options`, `trial_format`, `mode`, `excluded_by`,
    and `presentation_id` with `reference_index` are used where present: for chance and d', to tell real from
    pilot, to leave out who was excluded, and to refuse duplicates. Spaces around ids do not count.

    What is used is held to whatever else tells the same: `chose_target` to `response` and `answer_position`,
    `n_options` to `options` (which tell it where it is missing), `repeat_of` to `presentation_id`, and
    `excluded_by` of a session's rows to each other. `full_rows` also refuses a trial of two conditions,
    kinds, formats, targets or sets of options, a session of two participants or modes, a presentation of two
    sessions or trials, and a `repeat_of` that names no other, earlier showing of its trial; for scores alone
    these ids are not used.

    While `rows()` runs, `n_rows`, `n_not_main` and `n_unanswered` count what was read and what of it was
    left out, `n_unnamed` rows without a presentation's id, of which a duplicate cannot be told, `n_again`
    answers of a participant to a reference answered before (where `reference_index` tells them apart) that
    nothing marks as repeats, `modes`
    collects the values of `mode` among the scored rows, `n_excluded` counts rows with a rule in
    `excluded_by`, and `excluded` holds 1 or 0 for each row yielded.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._reader = csv.reader(decoded(lines), strict=True)
        self._places: dict[str, int] = {}
        self._width = 0
        self._seen: set[int] = set()
        self._answered: set[int] = set()
        self._repeated: dict[str, tuple[int, str]] = {}
        self._rules_of: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}
        self.n_rows = 0
        self.n_not_main = 0
        self.n_unanswered = 0
        self.n_excluded = 0
        self.n_unnamed = 0
        self.n_again = 0
        self.excluded = bytearray()
        self.modes: set[str] = set()

    def rows(self, *, with_excluded: bool = False) -> Iterator[ScoredRow]:
        """The answered rows of kind main that no exclusion rule leaves out; `with_excluded` yields those too.

        Raises CsvError at the first line that makes no sense.
        """
        for cells in self._lines(REQUIRED):
            row = self._row(cells)
            is_excluded = self._is_excluded(cells)
            if row is None:
                continue
            self.n_excluded += is_excluded
            if not is_excluded:
                self.modes.add(self._id(cells, "mode"))
                self._count_again(cells, row)
            if with_excluded or not is_excluded:
                self.excluded.append(is_excluded)
                yield row
        for line, message in circles(self._repeated):
            raise CsvError(f"line {line}: {message}")

    def full_rows(self, conditions: Sequence[Mapping[str, str]] = ()) -> Iterator[ResponseRow]:
        """Every row, practice and catch trials and rows without an answer too, with all that statistics need.

        `conditions`, the rows of conditions.csv, are held to `n_options` and `trial_format`, and tell them
        where they are missing.
        Needs the columns of REQUIRED_IN_FULL; `client_seq` and `server_received_utc`, where present, order
        answers that nothing marks as repeats. Raises CsvError at the first line that makes no sense.
        """
        identities, facts = Identities(), {row["condition"]: row for row in conditions}
        for cells in self._lines(REQUIRED_IN_FULL):
            row = self._as_told(self._full_row(cells), facts)
            if contradiction := identities.contradiction(self._reader.line_num, row, self._shown(cells)):
                raise self._error(contradiction)
            yield row
        for line, message in identities.wrong_repeats():
            raise CsvError(f"line {line}: {message}")

    def _as_told(self, row: ResponseRow, facts: Mapping[str, Mapping[str, str]]) -> ResponseRow:
        """The row with what its condition tells and it does not."""
        told = facts.get(row.condition, {})
        n_options = int(told["n_options"]) if told.get("n_options") else None
        for name, own, other in (
            ("n_options", row.n_options, n_options),
            ("trial_format", row.trial_format, told.get("trial_format")),
        ):
            if own and other and own != other:
                raise self._error(
                    f"{name} is {own!r}, and {other!r} for the condition {row.condition!r} in "
                    "conditions.csv; they must be the same"
                )
        return row._replace(
            n_options=row.n_options or n_options,
            trial_format=row.trial_format or told.get("trial_format", ""),
        )

    def _full_row(self, cells: list[str]) -> ResponseRow:
        scored = self._row(cells)
        shown = self._shown(cells)
        for name in ("response", "answer_position"):
            if not shown and self._text(cells, name):
                raise self._error(
                    f"{name} is {self._text(cells, name)!r}, and options is empty; "
                    "it must name the options shown, joined by |"
                )
        place = self._whole(cells, "response", limit=len(shown))
        if (place is None) != (ANSWERS[self._cell(cells, "chose_target")] is None):
            raise self._error("response and chose_target must both be given, or neither")
        return ResponseRow(
            participant=self._id(cells, "participant_id"),
            session=self._id(cells, "session_id"),
            condition=self._id(cells, "condition"),
            item=self._id(cells, "trial_id"),
            reference=self._whole(cells, "reference_index") or 0,
            kind=self._cell(cells, "trial_kind"),
            presentation=self._id(cells, "presentation_id"),
            repeat_of=self._id(cells, "repeat_of"),
            choice=None if place is None else shown[place],
            place=place,
            answer_place=self._whole(cells, "answer_position", limit=len(shown)),
            n_options=scored.n_options if scored else self._n_options(cells),
            trial_format=self._format(cells),
            is_correct=ANSWERS[self._cell(cells, "chose_target")],
            rt=self._number(cells, "rt"),
            confidence=self._whole(cells, "confidence"),
            focus_lost=self._whole(cells, "focus_lost"),
            target_label=self._text(cells, "target_label"),
            excluded_by="yes" if self._is_excluded(cells) else "",
            mode=self._id(cells, "mode"),
            seq=self._whole(cells, "client_seq"),
            received=self._text(cells, "server_received_utc"),
        )

    def _lines(self, required: Sequence[str]) -> Iterator[list[str]]:
        try:
            self._read_header(required)
            yield from filter(None, self._reader)
        except csv.Error as error:
            raise CsvError(f"line {self._reader.line_num}: not valid CSV: {error}") from None

    def _read_header(self, required: Sequence[str]) -> None:
        header = next(self._reader, [])
        if not header:
            raise CsvError(f"the file is empty; required columns: {', '.join(required)}")
        missing = [name for name in required if name not in header]
        if missing:
            hint = "; cells must be separated by commas" if len(header) == 1 and ";" in header[0] else ""
            raise CsvError(
                f"missing column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
                f"required columns: {', '.join(required)}{hint}"
            )
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise CsvError(f"column {', '.join(twice)} occurs more than once")
        self._places = {name: place for place, name in enumerate(header)}
        self._width = len(header)

    def _row(self, cells: list[str]) -> ScoredRow | None:
        if len(cells) != self._width:
            raise self._error(f"{len(cells)} cells where the header has {self._width}")
        self.n_rows += 1
        self._refuse_duplicate(cells)
        kind, answer = self._cell(cells, "trial_kind"), self._cell(cells, "chose_target")
        if kind not in KINDS:
            raise self._error(f"trial_kind is {kind!r}; it must be one of {', '.join(KINDS)}")
        if answer not in ANSWERS:
            raise self._error(f"chose_target is {answer!r}; it must be 1, 0 or empty")
        self._refuse_contradiction(cells)
        is_correct = ANSWERS[answer]
        if kind != "main":
            self.n_not_main += 1
            return None
        if is_correct is None:
            self.n_unanswered += 1
            return None
        return ScoredRow(
            condition=self._filled(cells, "condition"),
            participant=self._filled(cells, "participant_id"),
            item=self._filled(cells, "trial_id"),
            is_correct=is_correct,
            n_options=self._n_options(cells),
            trial_format=self._format(cells) or None,
        )

    def _refuse_contradiction(self, cells: list[str]) -> None:
        """Of `chose_target` with the places of choice and answer, and of `n_options` with `options`."""
        shown, told = self._shown(cells), self._told_n_options(cells)
        if shown and told not in (None, len(shown)):
            raise self._error(f"n_options is {told}, and options has {len(shown)}; they must be as many")
        if "answer_position" in self._places:
            limit = len(shown) or None
            place = self._whole(cells, "response", limit)
            answer = self._whole(cells, "answer_position", limit)
            is_correct = ANSWERS[self._cell(cells, "chose_target")]
            if None not in (place, answer) and is_correct != (place == answer):
                said = "empty" if is_correct is None else int(is_correct)
                raise self._error(
                    f"chose_target is {said} with response {place} and answer_position "
                    f"{answer}; it must be 1 where the two are equal, and 0 where not"
                )
        if "presentation_id" in self._places and (repeat_of := self._id(cells, "repeat_of")):
            presentation = self._id(cells, "presentation_id")
            if repeat_of == presentation:
                raise self._error(
                    f"repeat_of is {repeat_of!r}, the row's own presentation_id; it must be that of another "
                    "row, or empty"
                )
            self._repeated[presentation] = (self._reader.line_num, repeat_of)

    def _shown(self, cells: list[str]) -> list[str]:
        """Ids of the options, in the order shown; none where the cell is empty."""
        text = self._text(cells, "options").strip()
        shown = [name.strip() for name in text.split("|")] if text else []
        twice = [name for name in shown if shown.count(name) > 1]
        if twice:
            raise self._error(f"options has {twice[0]!r} twice; each option of a trial must occur once")
        return shown

    def _refuse_duplicate(self, cells: list[str]) -> None:
        presentation = self._id(cells, "presentation_id")
        reference = self._whole(cells, "reference_index") or 0
        if not presentation:
            self.n_unnamed += 1
            return
        key = hash((presentation, reference))  # eight bytes a row instead of two strings
        if key in self._seen:
            raise self._error(f"presentation {presentation}, reference {reference} occurs more than once")
        self._seen.add(key)

    def _count_again(self, cells: list[str], row: ScoredRow) -> None:
        """Without references' places several answers to a trial may be to several references."""
        if "reference_index" not in self._places or self._id(cells, "repeat_of"):
            return
        key = hash((row.condition, row.participant, row.item, self._whole(cells, "reference_index") or 0))
        self.n_again += key in self._answered
        self._answered.add(key)

    def _n_options(self, cells: list[str]) -> int | None:
        """As told, or else as many as `options` names; one option alone tells nothing."""
        told, shown = self._told_n_options(cells), len(self._shown(cells))
        return told or (shown if shown > 1 else None)

    def _told_n_options(self, cells: list[str]) -> int | None:
        text = self._cell(cells, "n_options").removesuffix(".0")
        if text in ("", "NA"):
            return None
        if not text.isascii() or not text.isdecimal() or int(text) < 2:
            raise self._error(f"n_options is {text!r}; it must be a whole number from 2, or empty")
        return int(text)

    def _is_excluded(self, cells: list[str]) -> bool:
        cell = self._cell(cells, "excluded_by")
        try:
            rules = () if cell in ("", "NA") else rules_of(cell)
        except ValueError as error:
            raise self._error(str(error)) from None
        if session := self._id(cells, "session_id"):
            whose = (self._id(cells, "participant_id"), session)
            line, before = self._rules_of.setdefault(whose, (self._reader.line_num, rules))
            if rules != before:
                raise self._error(
                    f"session_id {session!r} has the excluded_by {'|'.join(rules)!r}, and "
                    f"{'|'.join(before)!r} in line {line}; a session is left out with all its rows, or none"
                )
        return bool(rules)

    def _format(self, cells: list[str]) -> str:
        text = self._id(cells, "trial_format")
        if text and text not in TRIAL_FORMATS:
            raise self._error(
                f"trial_format is {text!r}; it must be one of {', '.join(TRIAL_FORMATS)}, or empty"
            )
        return text

    def _whole(self, cells: list[str], name: str, limit: int | None = None) -> int | None:
        """A whole number from 0, below `limit`; None where the cell is empty."""
        text = self._cell(cells, name).removesuffix(".0")
        if text in ("", "NA"):
            return None
        if not text.isascii() or not text.isdecimal() or (limit is not None and int(text) >= limit):
            allowed = "0 or more" if limit is None else f"from 0 to {limit - 1}"
            raise self._error(f"{name} is {text!r}; it must be a whole number, {allowed}, or empty")
        return int(text)

    def _number(self, cells: list[str], name: str) -> float | None:
        text = self._cell(cells, name)
        if text in ("", "NA"):
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self._error(f"{name} is {text!r}; it must be a number, or empty")
        return number

    def _text(self, cells: list[str], name: str) -> str:
        text = self._cell(cells, name)
        return "" if text == "NA" else sys.intern(unescape(text))

    def _id(self, cells: list[str], name: str) -> str:
        """Without spaces around it, which would make two of one."""
        return sys.intern(self._text(cells, name).strip())

    def _filled(self, cells: list[str], name: str) -> str:
        text = unescape(self._cell(cells, name)).strip()
        if text in ("", "NA"):
            raise self._error(f"{name} is {'NA' if text else 'empty'} in an answered main row")
        return text

    def _cell(self, cells: list[str], name: str) -> str:
        place = self._places.get(name)
        return "" if place is None else cells[place]

    def _error(self, message: str) -> CsvError:
        return CsvError(f"line {self._reader.line_num}: {message}")


def decoded(lines: Iterable[bytes]) -> Iterator[str]:
    """Lines as text; a byte order mark, as spreadsheets write it, is dropped."""
    encoding = "utf-8-sig"
    for number, line in enumerate(lines, start=1):
        if not isinstance(line, bytes):
            raise CsvError('the lines are text; they must be bytes: open the file in binary mode, "rb"')
        try:
            yield line.decode(encoding)
        except UnicodeDecodeError as error:
            raise CsvError(
                f"line {number}: byte 0x{line[error.start]:02x} is not UTF-8; save the file as UTF-8"
            ) from None
        encoding = "utf-8"
