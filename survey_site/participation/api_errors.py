"""One shape for every error of the API: {"code", "detail"} and, for log entries, "seq"."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from survey_site.participation.errors import ParticipationError


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler for this project."""
    if isinstance(error, ParticipationError | RequestDataTooBig):
        body, status = body_of(error)
        return Response(body, status=status)
    response = exception_handler(error, context)
    if response is not None:
        response.data = {"code": _code(error), "detail": _detail(error)}
    return response


def body_of(error: ParticipationError | RequestDataTooBig) -> tuple[dict[str, Any], int]:
    """What is answered, and the HTTP status."""
    if isinstance(error, RequestDataTooBig):
        most = f"at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes are taken"
        return {"code": "too_large", "detail": f"the request is too large; {most}"}, 413
    body: dict[str, Any] = {"code": error.code, "detail": error.detail}
    return body if error.seq is None else {**body, "seq": error.seq}, error.status


def _code(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "invalid"
    return error.default_code if isinstance(error, APIException) else "not_found"


def _detail(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(_sentences(error.detail, ""))
    return str(getattr(error, "detail", error) or "not found")


def _sentences(detail: Any, where: str) -> list[str]:
    if isinstance(detail, dict):
        return [
            line for name, value in detail.items() for line in _sentences(value, f"{where}.{name}".strip("."))
        ]
    if isinstance(detail, list):
        return [line for value in detail for line in _sentences(value, where)]
    return [f"{where}: {detail}" if where else str(detail)]
