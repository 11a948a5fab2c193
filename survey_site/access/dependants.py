"""Deleting what something else stands on is refused, and says what that is.

The rooms above answer `asked_what_depends`, since this one knows none of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import models
from django.db.models import ProtectedError
from django.dispatch import Signal
from django.http import HttpRequest

#: Sent with `sender`, a model, and `pks` of its rows; receivers answer with what depends on them, in words.
asked_what_depends = Signal()


def what_depends(model: type[models.Model], pks: list[Any], protected: Iterable[models.Model]) -> list[str]:
    """In words: what the rooms above name, else how many rows of which kind are in the way."""
    named = [words for _, answer in asked_what_depends.send(model, pks=pks) for words in answer or []]
    if named:
        return named
    kinds = Counter(type(row) for row in protected)
    return sorted(f"{n} {_kind(model, n)}" for model, n in kinds.items())


def _kind(model: type[models.Model], n: int) -> str:
    return str(model._meta.verbose_name if n == 1 else model._meta.verbose_name_plural)


def _named(model: type[models.Model], rows: Sequence[models.Model], delete: Callable[[], Any]) -> Any:
    try:
        return delete()
    except ProtectedError as error:
        found = what_depends(model, [row.pk for row in rows], error.protected_objects)
        names = ", ".join(str(row) for row in rows[:5]) + (" and others" if len(rows) > 5 else "")
        message = (
            f"{model._meta.verbose_name} {names} cannot be deleted; what depends on it: {'; '.join(found)}"
        )
        raise ProtectedError(message, error.protected_objects) from None


class NamesDependants(models.Model):
    """Rows whose refusal to be deleted says why."""

    class Meta:
        abstract = True

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        found: tuple[int, dict[str, int]] = _named(
            type(self), [self], lambda: super(NamesDependants, self).delete(*args, **kwargs)
        )
        return found


class NamesDependantsQuerySet(models.QuerySet[Any]):
    def delete(self) -> tuple[int, dict[str, int]]:
        rows = list(self)  # read before, since a queryset that was deleted is empty
        found: tuple[int, dict[str, int]] = _named(self.model, rows, super().delete)
        return found

    # As of Django's own: templates cannot call it, and managers do not have it.
    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


class NamesDependantsAdmin:
    """Delete pages that name what is in the way, instead of listing every row of it."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, list[Any]]:
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)  # type: ignore[misc]
        rows = list(objs)
        if protected and (named := what_depends(type(rows[0]), [row.pk for row in rows], [])):
            return to_delete, counts, set(), named  # the page would tell of lacking permissions instead
        return to_delete, counts, lacking, protected
