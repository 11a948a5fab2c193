"""A program that calls the researchers' API with a token."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from survey_site.access.models import Scope
from survey_site.access.tokens import make_token


def token_of(user: User, *scopes: str, name: str = "test") -> str:
    """The text of a new token; without scopes it has all."""
    return make_token(user=user, name=name, scopes=scopes or Scope.values)[1]


class Caller:
    """Asks below /api/v1/, and remembers nothing."""

    def __init__(self, user: User, *scopes: str) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {token_of(user, *scopes, name=','.join(scopes) or 'all')}"}

    def ask(self, method: str, path: str, body: Any = None, *, match: str = "") -> Any:
        """The answer; `match` is sent as If-Match."""
        given = {} if body is None else {"data": body, "content_type": "application/json"}
        headers = {**self.headers, **({"If-Match": match} if match else {})}
        return self.client.generic(method, f"/api/v1/{path}", headers=headers, **_encoded(given))

    def get(self, path: str) -> Any:
        """The JSON of an answer, which must be 200."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def send(self, method: str, path: str, body: Any = None, *, status: int = 200, match: str = "") -> Any:
        answer = self.ask(method, path, body, match=match)
        assert answer.status_code == status, (answer.status_code, answer.content)
        return answer.json() if answer.content else None


def _encoded(given: dict[str, Any]) -> dict[str, Any]:
    if "data" in given and not isinstance(given["data"], str | bytes):
        given["data"] = json.dumps(given["data"])
    return given
