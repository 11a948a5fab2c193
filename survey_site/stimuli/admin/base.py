"""What the admin pages of this room share."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from survey_site.access.role_admin import ReadOnlyAdmin
from survey_site.stimuli.models import StoredImage


class ReadOnlyModelAdmin(ReadOnlyAdmin):
    """Rows that only services write; they keep a history of their own, where they have one."""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        hidden = {"show_history": False, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, hidden)


def image_tag(image: StoredImage | None, *, text: str, size: int = 96) -> SafeString | str:
    """The stored image at `size` CSS pixels, or a dash."""
    if image is None:
        return "–"
    return format_html(
        '<img src="{}" width="{}" height="{}" alt="{}" loading="lazy" class="iri-thumbnail">',
        reverse("admin-image", args=[image.pk]),
        size,
        size,
        text,
    )


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
