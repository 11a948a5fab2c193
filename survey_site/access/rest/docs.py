"""The description of the API, for programs and for people who may use it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from survey_site.access.rest import errors, extensions
from survey_site.access.rest.authentication import AdminSession, BearerToken
from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.throttling import PerToken
from survey_site.access.roles import is_researcher

__all__ = ["DocsView", "SchemaView", "extensions"]  # importing them registers them

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class IsResearcher(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        if not is_researcher(request.user):
            raise ApiError("not_authenticated", "bring a token (Authorization: Bearer ...), or log in")
        return True


class ForResearchers:
    authentication_classes = [BearerToken, AdminSession]
    permission_classes = [IsResearcher]
    throttle_classes = [PerToken]

    def get_exception_handler(self) -> Any:
        return errors.handle


class SchemaView(ForResearchers, SpectacularAPIView):
    """OpenAPI 3, as YAML or JSON."""


class DocsView(ForResearchers, SpectacularSwaggerSplitView):
    """Swagger UI from this site's own files."""

    template_name = "access/api_docs.html"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().get(request, *args, **kwargs)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Content-Security-Policy"] = PAGE_POLICY
        return answer
