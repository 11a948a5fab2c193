"""Stored responses as the statistics take them."""

from __future__ import annotations

from collections.abc import Collection

from survey_site.analysis.exporting.rows import export_rows
from survey_site.analysis.exporting.selection import Filters, Selection
from survey_site.analysis.response_facts import ExportRow
from survey_site.analysis.responses import ResponseRow
from survey_site.studies.models import Study


class _Names(dict[object, str]):
    """One text per id, however many rows name it: a million rows then fit into memory."""

    def __missing__(self, name: object) -> str:
        self[name] = text = str(name)
        return text


def response_rows(study: Study, mode: str) -> list[ResponseRow]:
    """All responses of the study in one mode, session by session in the order shown, nobody excluded yet."""
    names = _Names()
    return [_response_row(row, names) for row in export_rows(Selection(study, Filters(mode=mode)))]


def with_exclusions(rows: list[ResponseRow], excluded: Collection[str]) -> list[ResponseRow]:
    """The rows, those of the `excluded` sessions marked."""
    return [row._replace(excluded_by="yes") if row.session in excluded else row for row in rows]


def _response_row(row: ExportRow, names: _Names) -> ResponseRow:
    fields = row.fields
    return ResponseRow(
        participant=names[fields.participant],
        session=names[fields.session],
        condition=row.trial.condition,
        item=row.trial.id,
        reference=row.reference.place,
        kind=row.trial.kind,
        presentation=str(fields.presentation),
        repeat_of=str(fields.repeat_of or ""),
        choice=None if fields.option is None else names[fields.option],
        place=row.chosen_position,
        answer_place=row.answer_position,
        n_options=len(row.trial.options),
        trial_format=row.trial.format,
        is_correct=row.chose_target,
        rt=fields.rt,
        confidence=fields.confidence,
        focus_lost=fields.focus_lost,
        target_label=row.reference.target_label,
        excluded_by="",
        mode=fields.mode,
        seq=fields.seq,
    )
