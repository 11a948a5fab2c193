"""How the description names our ways of logging in."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class BearerTokenScheme(OpenApiAuthenticationExtension):
    target_class = "survey_site.access.rest.authentication.BearerToken"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A researcher's API token."}


class AdminSessionScheme(OpenApiAuthenticationExtension):
    target_class = "survey_site.access.rest.authentication.AdminSession"
    name = "adminSession"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class ParticipantTokenScheme(OpenApiAuthenticationExtension):
    target_class = "survey_site.participation.authentication.SessionTokenAuthentication"
    name = "participant"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Session ` and the token of `POST /api/sessions/`.",
        }
