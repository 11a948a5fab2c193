"""While a study is open, its design stays: nobody's question changes under them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from survey_site.studies.models import Study
from survey_site.studies.refusals import StudyRefused

LOCKED = (
    "This study is open, so its design is locked: pause or close it to change more than its name and where "
    "participants come from. Opening it again makes a new version; sessions under way keep theirs."
)


def refuse_if_open(study: Study) -> None:
    """Raises StudyRefused while people take part. The database refuses the rows themselves, too."""
    if Study.objects.get(pk=study.pk).is_open:
        raise StudyRefused(f"study {study.slug!r} is open; pause or close it before its design is changed")


class LockedWhileOpen:
    """Inlines of the design: of an open study they are only shown."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not is_locked(obj) and super().has_add_permission(request, obj)  # type: ignore[misc]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not is_locked(obj) and super().has_change_permission(request, obj)  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not is_locked(obj) and super().has_delete_permission(request, obj)  # type: ignore[misc]


def is_locked(study: Study | None) -> bool:
    return study is not None and study.is_open
