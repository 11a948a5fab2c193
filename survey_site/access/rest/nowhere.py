"""Addresses below /api/v1/ that there are none of: refused in the envelope that programs read."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from survey_site.access.rest.views import ResearcherView

METHODS = ("get", "post", "put", "patch", "delete")


@extend_schema(exclude=True)
class NoSuchAddress(ResearcherView):
    def refuse(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        raise Http404(f"there is no address {request.path}; /api/docs/ has them all")
