"""Lists come in pages; a page names the next by a cursor, so that new rows shift nothing."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

BAD_CURSOR = {"cursor": "not a cursor of this list; take the address in `next` or `previous` as it is"}


class Cursor(CursorPagination):
    page_size = 100
    max_page_size = 500
    page_size_query_param = "limit"
    page_size_query_description = f"Rows a page; at most {max_page_size}."
    ordering = "pk"

    def paginate_queryset(self, queryset: QuerySet[Any], request: Request, view: Any = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValueError, DjangoValidationError, DataError):
            # Whoever changes a cursor may put anything into it, also what its column cannot hold.
            raise ValidationError(BAD_CURSOR) from None

    def decode_cursor(self, request: Request) -> Any:
        """base64 skips what is none of its letters, and then any text would be the first page."""
        text = request.query_params.get(self.cursor_query_param)
        if text is not None and not 0 < len(parse_qs(base64.b64decode(text, validate=True))) <= 3:
            raise ValidationError(BAD_CURSOR)
        return super().decode_cursor(request)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        wanted = getattr(view, "ordering", self.ordering)
        return (wanted,) if isinstance(wanted, str) else tuple(wanted)

    def get_page_size(self, request: Request) -> int:
        given = request.query_params.get(self.page_size_query_param)
        if given is None:
            return self.page_size
        # int() takes digits of other scripts and underscores, too.
        if not (given.isascii() and given.isdigit()) or not 1 <= int(given[:9]) <= self.max_page_size:
            raise ValidationError({"limit": f"{given!r}; allowed: 1 to {self.max_page_size}"})
        return int(given)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }
