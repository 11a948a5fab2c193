"""One envelope for everything that the researchers' API refuses. A code never changes its meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import ProtectedError
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.fields import get_error_detail
from rest_framework.response import Response
from rest_framework.views import exception_handler


@dataclass(frozen=True)
class Code:
    """`status` is the HTTP status that comes with it."""

    status: int
    meaning: str


CODES = {
    "malformed": Code(400, "The body is not what its media type says."),
    "not_authenticated": Code(401, "Neither a token nor an admin's session came with the request."),
    "token_unknown": Code(401, "There is no such token, or it was revoked."),
    "token_expired": Code(401, "The token's time is over."),
    "scope_missing": Code(403, "The token lacks the scope that this takes."),
    "role_too_low": Code(403, "Your role on the thing allows less than this."),
    "csrf_failed": Code(403, "A browser's session came without its CSRF token."),
    "not_found": Code(404, "There is no such thing, or it is not shared with you."),
    "method_not_allowed": Code(405, "The address takes other methods; `Allow` names them."),
    "refused": Code(409, "It contradicts the state that things are in; `detail` says which."),
    "changed_meanwhile": Code(412, "`If-Match` names another state than the present one; read it again."),
    "too_large": Code(413, "The request has more bytes than are taken."),
    "unsupported_media_type": Code(415, "The body has a media type that is not taken here."),
    "invalid": Code(422, "A field or parameter has a value that is not taken; `errors` names each."),
    "precondition_required": Code(428, "A change of a study must say by `If-Match` what it changes."),
    "throttled": Code(
        429, "The token was used too often in this minute; `Retry-After` says how long to wait."
    ),
    "store_unavailable": Code(503, "The image store does not answer; it may pass."),
}


class FieldErrorShape(serializers.Serializer):
    path = serializers.CharField(help_text="Where: names and places, joined by dots.")
    detail = serializers.CharField(help_text="The value given and what is allowed.")


class ErrorShape(serializers.Serializer):
    """What every refusal looks like."""

    code = serializers.ChoiceField(choices=sorted(CODES))
    detail = serializers.CharField(help_text="A sentence for people.")
    errors = FieldErrorShape(many=True, help_text="One entry a fault, where fields are at fault.")

    class Meta:
        ref_name = "Error"


class ApiError(exceptions.APIException):
    """A refusal with one of the CODES."""

    def __init__(self, code: str, detail: str, *, errors: list[tuple[str, str]] | None = None) -> None:
        self.status_code = CODES[code].status
        super().__init__(detail, code)
        self.code, self.errors = code, errors or []


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler of the researchers' API; what a view names in `refusals` is a refusal, too."""
    view = context["view"]
    if isinstance(error, getattr(view, "outages", ())):
        known: ApiError | None = ApiError("store_unavailable", str(error))
    else:
        known = _known(error, getattr(view, "refusals", ()))
    response = exception_handler(known, context) if known else None
    if known is None or response is None:
        return None
    response.data = {
        "code": known.code,
        "detail": str(known.detail),
        "errors": [{"path": path, "detail": detail} for path, detail in known.errors],
    }
    if known.code in ("not_authenticated", "token_unknown", "token_expired"):
        response["WWW-Authenticate"] = "Bearer"
    return response


def _known(error: Exception, refusals: tuple[type[Exception], ...]) -> ApiError | None:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, refusals):
        return ApiError("refused", str(error))
    if isinstance(error, Http404):
        return ApiError("not_found", str(error) or "there is no such thing")
    if isinstance(error, DjangoPermissionDenied):
        return ApiError("role_too_low", str(error))
    if isinstance(error, DjangoValidationError):
        return _of_framework(exceptions.ValidationError(get_error_detail(error)))
    if isinstance(error, ProtectedError):
        return ApiError("refused", str(error.args[0]))
    if isinstance(error, TooManyFilesSent | TooManyFieldsSent):
        return ApiError("too_large", str(error))
    if isinstance(error, RequestDataTooBig):
        return ApiError("too_large", f"at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes are taken")
    return _of_framework(error)


def _of_framework(error: Exception) -> ApiError | None:
    if isinstance(error, exceptions.ValidationError):
        faults = list(_faults(error.detail, ""))
        return ApiError("invalid", "; ".join(_sentence(*fault) for fault in faults), errors=faults)
    codes = {
        exceptions.ParseError: "malformed",
        exceptions.NotAuthenticated: "not_authenticated",
        exceptions.NotFound: "not_found",
        exceptions.UnsupportedMediaType: "unsupported_media_type",
        exceptions.MethodNotAllowed: "method_not_allowed",
        exceptions.Throttled: "throttled",
    }
    code = codes.get(type(error))
    if code is None:
        return None
    known = ApiError(code, str(getattr(error, "detail", error)))
    if isinstance(error, exceptions.Throttled):
        known.wait = error.wait  # type: ignore[attr-defined]  # DRF's handler reads it for Retry-After
    return known


def _sentence(path: str, detail: str) -> str:
    return f"{path}: {detail}" if path else detail


def _faults(detail: Any, path: str) -> Any:
    if isinstance(detail, dict):
        for name, value in detail.items():
            yield from _faults(value, path if name == "non_field_errors" else f"{path}.{name}".strip("."))
    elif isinstance(detail, list):
        for place, value in enumerate(detail):
            # A list of dictionaries is one entry an item; a list of sentences is about one value.
            inner = f"{path}.{place}".strip(".") if isinstance(value, dict | list) else path
            yield from _faults(value, inner)
    else:
        yield path, str(detail)
