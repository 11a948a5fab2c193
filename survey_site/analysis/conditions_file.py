"""conditions.csv read back, without a database."""

import csv
from collections.abc import Iterable

from survey_site.analysis.condition_levels import FACTORS, TELLING
from survey_site.analysis.csv_cells import unescape
from survey_site.analysis.csv_checks import CsvError
from survey_site.analysis.csv_rows import TRIAL_FORMATS, decoded

REQUIRED = ("condition", "label", "shows", "network_name", *FACTORS, *TELLING)
#: Columns of few values.
ALLOWED = {
    "shows": ("iri", "target", "start"),
    "is_residual": ("1", "0", ""),
    "is_control": ("1", "0", ""),
    "trial_format": (*TRIAL_FORMATS, ""),
}
#: Columns of whole numbers, and the least of each.
WHOLE = {"layer_depth": 0, "n_options": 2}


def read_conditions(lines: Iterable[bytes]) -> list[dict[str, str]]:
    """One dictionary of cells by column name per condition, in the order of the file; `NA` is empty.

    Raises CsvError for missing columns, rows of another width, a condition that is empty or occurs twice,
    and values that ALLOWED and WHOLE do not allow.
    """
    reader = csv.reader(decoded(lines), strict=True)
    found: dict[str, dict[str, str]] = {}
    try:
        header = next(reader, [])
        missing = [name for name in REQUIRED if name not in header]
        if missing:
            raise CsvError(f"missing column{'s' * (len(missing) > 1)} {', '.join(missing)} of conditions.csv")
        for cells in filter(None, reader):
            row = _row(header, cells, reader.line_num)
            if row["condition"] in found:
                raise CsvError(
                    f"line {reader.line_num}: condition {row['condition']!r} occurs more than once"
                )
            found[row["condition"]] = row
    except csv.Error as error:
        raise CsvError(f"line {reader.line_num}: not valid CSV: {error}") from None
    return list(found.values())


def _row(header: list[str], cells: list[str], line: int) -> dict[str, str]:
    if len(cells) != len(header):
        raise CsvError(f"line {line}: {len(cells)} cells where the header has {len(header)}")
    texts = ("" if cell == "NA" else unescape(cell) for cell in cells)
    row = dict(zip(header, texts, strict=True))
    row["condition"] = row["condition"].strip()
    if not row["condition"]:
        raise CsvError(f"line {line}: condition is empty")
    for name in ("is_residual", "is_control", *WHOLE):
        row[name] = row[name].removesuffix(".0")  # as pandas writes them back beside empty cells
    for name, allowed in ALLOWED.items():
        if row[name] not in allowed:
            said = ", ".join(filter(None, allowed)) + (", or empty" if "" in allowed else "")
            raise CsvError(f"line {line}: {name} is {row[name]!r}; it must be one of {said}")
    for name, least in WHOLE.items():
        text = row[name]
        if text and not (text.isascii() and text.isdecimal() and int(text) >= least):
            raise CsvError(
                f"line {line}: {name} is {text!r}; it must be a whole number from {least}, or empty"
            )
    return row
