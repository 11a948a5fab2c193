"""The file that a participant saves when the server stays away: signed in the browser, read in here."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from uuid import UUID

from survey_site.participation.models import StudySession


class FileRefused(Exception):
    """A file that is not read in; the message says why."""


def read_answer_file(text: str, *, take_unsigned: bool = False) -> tuple[StudySession, list[Any]]:
    """The session that the file belongs to and its log entries, as they were sent.

    The signature is the browser's HMAC-SHA-256 of session and log, keyed with the hash of the session's
    token; browsers sign on pages with https only.
    """
    try:
        given = json.loads(text)
        session_id, log, signature = given["session_id"], given["log"], given["signature"]
        session = StudySession.objects.filter(pk=UUID(session_id)).first()
        entries = json.loads(log)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise FileRefused("this is no file of answers") from None
    if session is None:
        raise FileRefused(f"there is no session {session_id}")
    if signature is None and not take_unsigned:
        raise FileRefused("the file is not signed (the page had no https); --unsigned reads it all the same")
    if signature is not None and not hmac.compare_digest(str(signature), _signature(session, log)):
        raise FileRefused("the signature does not fit: the file was changed, or its session began anew since")
    if not isinstance(entries, list):
        raise FileRefused("this is no file of answers")
    return session, entries


def _signature(session: StudySession, log: str) -> str:
    message = f"{session.pk}\n{log}".encode()
    return hmac.new(session.token_hash.encode(), message, hashlib.sha256).hexdigest()
