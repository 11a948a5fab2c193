"""Exports read back as their users do."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

from survey_site.analysis.exporting.kinds import KINDS
from survey_site.analysis.exporting.selection import Selection


def exported(name: str, selection: Selection) -> bytes:
    return b"".join(KINDS[name].stream(selection, lambda done, total: None))


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


def archive(name: str, selection: Selection) -> zipfile.ZipFile:
    opened = zipfile.ZipFile(io.BytesIO(exported(name, selection)))
    assert opened.testzip() is None
    return opened


def typed(column_type: str, cell: str) -> Any:
    """The value that a cell stands for; None for an empty one."""
    if cell == "":
        return None
    if column_type == "0 or 1":
        return cell == "1"
    return {"integer": int, "number": float}.get(column_type, str)(cell)
