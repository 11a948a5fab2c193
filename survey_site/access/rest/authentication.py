"""Who asks: a program with a token, or a researcher's browser that is logged in to the admin."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from survey_site.access.models import ApiToken
from survey_site.access.rest.errors import ApiError
from survey_site.access.roles import is_researcher
from survey_site.access.tokens import hash_of

KEYWORD = "bearer"


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer iris_...`"""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        scheme, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != KEYWORD:
            return None
        found = ApiToken.objects.select_related("user").filter(token_hash=hash_of(text.strip()))
        token = found.filter(revoked_at=None).first()
        if token is None or not is_researcher(token.user):
            raise ApiError("token_unknown", "this token is not known, or it was revoked")
        if token.expires_at is not None and token.expires_at <= timezone.now():
            raise ApiError("token_expired", f"this token expired on {token.expires_at:%Y-%m-%d}")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class AdminSession(SessionAuthentication):
    """The admin's cookie, with its CSRF token for everything that changes something."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise ApiError("csrf_failed", str(error.detail)) from None
