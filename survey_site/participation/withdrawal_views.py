"""The page on which a participant withdraws; its address is theirs alone."""

from __future__ import annotations

import hmac
import json
import uuid
from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from survey_site.participation.errors import Missing
from survey_site.participation.models import PREVIEW, StudySession
from survey_site.participation.services.withdrawal import (
    has_withdrawn,
    is_withdrawable,
    withdraw,
    withdrawal_of,
)
from survey_site.participation.tokens import withdrawal_mac
from survey_site.studies.models import Withdrawal

# A further language is one more file there; nothing else changes.
LANGUAGES = Path(__file__).parent / "i18n"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def withdrawal_address(session: StudySession) -> str | None:
    """The personal link, where there is something to withdraw and the study lets people."""
    if session.is_anonymised or session.mode == PREVIEW or not is_withdrawable(session):
        return None
    path = reverse("withdraw", kwargs={"session_id": session.pk, "mac": withdrawal_mac(session.pk)})
    return settings.PUBLIC_URL + path


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csrf_exempt  # no cookie stands for the participant: whoever posts must know the address itself
def withdrawal_page(request: HttpRequest, session_id: uuid.UUID, mac: str) -> HttpResponse:
    """Asks first; only the button, a POST, takes anything back."""
    if not hmac.compare_digest(mac, withdrawal_mac(session_id)):
        raise Http404
    session = get_object_or_404(StudySession.objects.select_related("version", "study"), pk=session_id)
    if request.method == "POST":
        try:
            session = withdraw(session_id=session_id)
        except Missing as error:
            raise Http404(error.detail) from None
    if not has_withdrawn(session) and withdrawal_address(session) is None:
        raise Http404
    language = language_of(request.GET.get("lang", ""), session)
    words = words_in(language)
    titles = session.version.texts
    kind = Withdrawal.ANONYMISE if session.is_anonymised else withdrawal_of(session)
    context = {
        "words": words,
        "language": language,
        "languages": [(code, words_in(code)["language_name"]) for code in languages()],
        "study": words["study"].format(study=titles.get(language, titles[session.language])["title"]),
        "consequence": words[kind],
        "is_done": has_withdrawn(session),
        "done": words[f"done_{kind}"],
    }
    response = render(request, "withdraw.html", context)
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response["Referrer-Policy"] = "no-referrer"  # the address is the participant's secret
    return response


def language_of(wanted: str, session: StudySession) -> str:
    """The language that the address asks for, else the session's; English where nobody has translated it."""
    return next((code for code in (wanted, session.language) if code in languages()), "en")


@cache
def languages() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in LANGUAGES.glob("*.json")))


@cache
def words_in(language: str) -> dict[str, str]:
    """The page's words; English where nobody has translated them."""
    known = language if language in languages() else "en"
    words: dict[str, str] = json.loads((LANGUAGES / f"{known}.json").read_text(encoding="utf-8"))
    return words
