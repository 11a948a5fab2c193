"""Who changed what, and when: a shared thing's own history with that of the rows that hang on it.

django-simple-history writes a row for every change; here they are read together and compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet

from survey_site.access.models import Membership

KINDS = {"+": "added", "~": "changed", "-": "deleted"}
LONGEST = 200
NOT_SHOWN = "(not shown)"


@dataclass(frozen=True)
class FieldChange:
    """One field's name as people read it, and its values as text."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """One row added, changed or deleted; `by` is empty where nobody was logged in: a command did it."""

    at: datetime
    by: str
    kind: str
    what: str
    fields: tuple[FieldChange, ...]


class ChangeList(Sequence[Change]):
    """The latest changes first, of the thing and of what hangs on it; read a slice at a time."""

    def __init__(self, thing: Model) -> None:
        self._histories = _histories(thing)

    def __len__(self) -> int:
        return sum(rows.count() for rows in self._histories)

    def __getitem__(self, wanted: Any) -> Any:
        together = merge(*map(_newest, self._histories), key=_moment, reverse=True)
        if isinstance(wanted, slice):
            return [_change(row) for row in islice(together, wanted.start, wanted.stop)]
        return _change(next(islice(together, wanted, None)))


def _moment(row: Any) -> tuple[datetime, int]:
    return row.history_date, row.history_id


def _newest(rows: QuerySet[Any]) -> Iterator[Any]:
    return rows.select_related("history_user").order_by("-history_date", "-history_id").iterator(200)


def _histories(thing: Model) -> list[QuerySet[Any]]:
    """Historical rows of the thing, of the rows that point at it and keep a history, and of its roles."""
    model: Any = type(thing)
    own = model.history.filter(**{thing._meta.pk.attname: thing.pk})
    related: list[Any] = list(thing._meta.related_objects)
    hanging = [
        relation.related_model.history.filter(**{relation.field.attname: thing.pk})
        for relation in related
        if hasattr(relation.related_model._meta, "simple_history_manager_attribute")
    ]
    roles = Membership.history.filter(
        content_type=ContentType.objects.get_for_model(thing), object_id=str(thing.pk)
    )
    return [own, *hanging, roles]


def _change(row: Any) -> Change:
    return Change(
        at=row.history_date,
        by=str(row.history_user or ""),
        kind=KINDS[row.history_type],
        what=f"{row.instance_type._meta.verbose_name} {_name(row)}",
        fields=tuple(_differences(row)) if row.history_type == "~" else (),
    )


def _name(row: Any) -> str:
    """The row as it called itself; what it points at may be gone."""
    try:
        return str(row.instance)
    except Exception:  # a row of a deleted thing cannot always say its name
        return f"#{row.instance.pk}"


def _differences(row: Any) -> Iterator[FieldChange]:
    before = row.prev_record
    if before is None:
        return
    for field in row.tracked_fields:  # diff_against leaves out what no form may edit: the status
        if getattr(before, field.attname) != getattr(row, field.attname):
            values = (_shown(one, field) for one in (before, row))
            yield FieldChange(str(field.verbose_name), *values)


def _shown(row: Any, field: Any) -> str:
    """Of what only some may know, no more than whether there is something."""
    value = _value(row, field)
    return NOT_SHOWN if value and field.name in getattr(row.instance_type, "SECRET", ()) else _text(value)


def _value(row: Any, field: Any) -> Any:
    """What the field holds; of a row that it points at, the name, or the key if it is gone."""
    try:
        return getattr(row, field.name)
    except ObjectDoesNotExist:
        return getattr(row, field.attname)


def _text(value: Any) -> str:
    text = "–" if value is None or value == "" else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
