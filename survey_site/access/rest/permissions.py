"""What a caller may do at all. Which rows there are for them is for the roles to say."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from survey_site.access.models import ApiToken, Scope
from survey_site.access.rest.errors import ApiError
from survey_site.access.roles import is_researcher


def scope_of(view: Any, method: str) -> Scope:
    """What the view says of its action, else reading for what is safe and writing for what is not."""
    by_action: dict[str, Scope] = getattr(view, "scopes", {})
    default = Scope.READ if method in SAFE_METHODS else Scope.WRITE
    return by_action.get(getattr(view, "action", None) or "", default)


class MayCall(BasePermission):
    """A researcher whose token, if they use one, has the scope of what they ask for."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not is_researcher(request.user):
            raise ApiError("not_authenticated", "bring a token (Authorization: Bearer ...), or log in")
        if isinstance(request.auth, ApiToken):
            wanted = scope_of(view, str(request.method))
            if wanted not in request.auth.scopes:
                has = ", ".join(request.auth.scopes)
                raise ApiError("scope_missing", f"this takes the scope {wanted.value}; the token has {has}")
        return True
