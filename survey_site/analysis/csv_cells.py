"""Text cells of a CSV that a spreadsheet must not run as formulas."""

#: A cell that begins with one of these is computed by spreadsheets instead of shown.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def escape(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def unescape(cell: str) -> str:
    """What was escaped; any other cell as it is."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA_STARTS) else cell
