"""Where recruiters tell what became of their submissions."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from survey_site.participation.errors import Forbidden, Missing, ParticipationError
from survey_site.participation.recruitment.prolific import WebhookRefused, seconds, verify
from survey_site.participation.services.submissions import take_event

MAX_LENGTH = 100  # of every text that is kept or looked up


class ProlificWebhook(APIView):
    """Prolific's events. What is not signed with our secret is not read."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def post(self, request: Request) -> Response:
        secret = settings.PROLIFIC_WEBHOOK_SECRET
        if not secret:
            raise Missing("not_configured", "no secret is set, so no webhook can be verified")
        body: bytes = request._request.body
        signature = request.headers.get("X-Prolific-Request-Signature", "")
        timestamp = request.headers.get("X-Prolific-Request-Timestamp", "")
        try:
            signed_at = verify(
                secret=secret, body=body, signature=signature, timestamp=timestamp, now=timezone.now()
            )
        except WebhookRefused as refusal:
            raise Forbidden(refusal.code, str(refusal)) from None
        event = _event(body)
        is_new = take_event(
            event_id=_text(request.headers.get("X-Event-ID"), "X-Event-ID"),
            signature=signature,
            event_type=_text(event.get("event_type"), "event_type")[:60],
            submission_id=_text(event.get("resource_id"), "resource_id"),
            status=str(event.get("status") or "")[:30],
            sent_at=_sent_at(request.headers.get("X-Timestamp", ""), signed_at),
        )
        return Response({"taken": is_new})


def _event(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise ParticipationError("invalid", "the body is not JSON") from None
    if not isinstance(event, dict):
        raise ParticipationError("invalid", "the body must be an object")
    return event


def _text(given: object, name: str) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= MAX_LENGTH or "\0" in given:
        raise ParticipationError("invalid", f"{name} must be text of 1 to {MAX_LENGTH} characters")
    return given


def _sent_at(timestamp: str, signed_at: datetime) -> datetime:
    """When the event happened: a repeated delivery is signed anew, but keeps its X-Timestamp.

    That header is not signed, so it can make an event older, and never newer, than its signature.
    """
    said = seconds(timestamp)
    return signed_at if said is None else min(said, signed_at)
