"""The call that every answer makes. A plain view: it is asked more often than all others together, and what
DRF's views add to a call costs more than storing the answer (docs/participants.md).
"""

from __future__ import annotations

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from survey_site.metrics import LOG_REQUESTS, LOG_SECONDS
from survey_site.participation import services
from survey_site.participation.api_errors import body_of
from survey_site.participation.authentication import KEYWORD, token_of
from survey_site.participation.errors import (
    MethodNotAllowed,
    NotAuthenticated,
    ParticipationError,
    UnsupportedMediaType,
)
from survey_site.participation.log_body import parse, read_entries
from survey_site.participation.services import Acknowledgement
from survey_site.participation.tokens import token_hash

JSON = "application/json"


@csrf_exempt  # the token is in a header, which no other site's page can set
def session_log(request: HttpRequest) -> HttpResponse:
    """Store the entries of {"entries": [...]} and acknowledge them; errors as api_errors shapes them."""
    with LOG_SECONDS.time():
        answer = _answer(request)
    LOG_REQUESTS.labels(answer.status_code).inc()
    return answer


def _answer(request: HttpRequest) -> HttpResponse:
    try:
        return _json(_taken(request), 200)
    except (ParticipationError, RequestDataTooBig) as error:
        return _json(*body_of(error))


def _taken(request: HttpRequest) -> Acknowledgement:
    if request.method != "POST":
        raise MethodNotAllowed("method_not_allowed", f"{request.method} is not allowed here; allowed: POST")
    token = token_of(request.headers.get("Authorization", ""))
    if token is None:
        raise NotAuthenticated("not_authenticated", "the Authorization header holds no session token")
    key = token_hash(token)
    try:
        if request.body and request.content_type != JSON:
            raise UnsupportedMediaType(
                "unsupported_media_type", f"the body is {request.content_type!r}; allowed: {JSON}"
            )
        entries = read_entries(parse(request.body))
    except ParticipationError:
        services.check_token(key)  # strangers hear nothing of what is wrong
        raise
    return services.record_log(token_hash=key, entries=entries)


def _json(body: object, status: int) -> HttpResponse:
    answer = HttpResponse(msgspec.json.encode(body), content_type=JSON, status=status)
    if status == 401:
        answer["WWW-Authenticate"] = KEYWORD
    elif status == 405:
        answer["Allow"] = "POST"
    return answer
