"""So many requests a minute and token, counted in the database for all processes together."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from survey_site.access.models import ApiToken
from survey_site.access.tokens import count_use


class PerToken(BaseThrottle):
    seconds_left = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiToken):
            return True
        n, self.seconds_left = count_use(request.auth)
        return n <= settings.API_REQUESTS_PER_MINUTE

    def wait(self) -> float:
        return max(self.seconds_left, 1.0)
