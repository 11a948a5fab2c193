"""The columns of wide.csv that hold answers."""

from survey_site.analysis.columns import Column
from survey_site.analysis.response_columns import RESPONSE_COLUMNS

#: What a wide file has of every answer: columns of the long one, by name.
MEASURES = ("chose_target", "response", "rt", "confidence")
_KEYS = ("session_id", "reference")
_BY_NAME = {column.name: column for column in RESPONSE_COLUMNS}
WIDE_COLUMNS: tuple[Column, ...] = tuple(_BY_NAME[name] for name in (*_KEYS, *MEASURES))


def item_name(*, version: int, trial: int, reference: int | None) -> str:
    """The stem of a trial's columns; `reference` only where the trial has several."""
    return f"v{version}_t{trial}" + ("" if reference is None else f"_r{reference}")
