"""The description of an operation: its errors beside its answers, its scope beside its words."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from survey_site.access.rest.errors import CODES, ErrorShape
from survey_site.access.rest.permissions import scope_of

ALWAYS = (401, 403, 429)
WITH_BODY = (400, 413, 415, 422)


class ResearcherSchema(AutoSchema):
    def get_description(self) -> str:
        scope = scope_of(self.view, self.method)
        return f"{super().get_description()}\n\nScope: `{scope.value}`."

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in sorted(self._error_statuses()):
            bodies.setdefault(str(status), self._get_response_for_code(_described(status), str(status)))
        return bodies

    def _error_statuses(self) -> set[int]:
        found = {*ALWAYS, *getattr(self.view, "statuses", {}).get(getattr(self.view, "action", None), ())}
        if "{" in self.path:
            found.add(404)
        if self.method in ("POST", "PUT", "PATCH"):
            found |= {*WITH_BODY}
        elif self.method == "GET":
            found.add(422)  # a parameter
        if getattr(self.view, "refusals", ()) and self.method != "GET":
            found.add(409)
        if getattr(self.view, "outages", ()):
            found.add(503)
        return found


def _described(status: int) -> OpenApiResponse:
    codes = [f"`{code}`: {one.meaning}" for code, one in CODES.items() if one.status == status]
    return OpenApiResponse(ErrorShape, description="  \n".join(codes))


def only_documented(endpoints: list[Any]) -> list[Any]:
    """The researchers' addresses."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v1/")]
