"""Making, finding, counting and revoking API tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from survey_site.access.models import ApiToken, Scope
from survey_site.access.roles import is_researcher
from survey_site.access.services import record_event

PREFIX = "iris_"
MOST_DAYS = 365
DEFAULT_DAYS = 90
LONGEST_NAME = 60

COUNT_USE = """
    UPDATE access_apitoken SET
        last_used_at = now(),
        minute_began_at = CASE WHEN fresh THEN now() ELSE minute_began_at END,
        n_this_minute = CASE WHEN fresh THEN 1 ELSE n_this_minute + 1 END
    FROM (
        SELECT id AS token, coalesce(minute_began_at <= now() - interval '1 minute', true) AS fresh
        FROM access_apitoken WHERE id = %s FOR UPDATE
    ) AS state
    WHERE id = state.token
    RETURNING n_this_minute, extract(epoch FROM minute_began_at + interval '1 minute' - now())
"""


class TokenRefused(Exception):
    """A token that is not made; the message says why."""


def hash_of(token: str) -> str:
    """Tokens are 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def make_token(
    *,
    user: Any,
    name: str,
    scopes: Iterable[str],
    days: int | None = DEFAULT_DAYS,
    by: Any = None,
) -> tuple[ApiToken, str]:
    """A new token of the researcher and its text, which is kept nowhere. `days` None: it never expires.

    Raises TokenRefused naming what is wrong.
    """
    wanted, name = list(dict.fromkeys(scopes)), name.strip()
    _check(user, name, wanted, days)
    text = PREFIX + secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            token = ApiToken.objects.create(
                user=user,
                name=name,
                prefix=text[:12],
                token_hash=hash_of(text),
                scopes=wanted,
                expires_at=None if days is None else timezone.now() + timedelta(days=days),
            )
            record_event(user=by, action="make token", subject=token, detail=_detail(token))
    except IntegrityError:
        raise TokenRefused(
            f"{user} has a token {name!r} already; revoke it first, or take another name"
        ) from None
    return token, text


def _check(user: Any, name: str, scopes: list[str], days: int | None) -> None:
    if not is_researcher(user):
        raise TokenRefused(f"{user} is no active member of the staff, so no token is made")
    if not 0 < len(name) <= LONGEST_NAME:
        raise TokenRefused(f"the name has {len(name)} characters; allowed: 1 to {LONGEST_NAME}")
    unknown = [one for one in scopes if one not in Scope.values]
    if unknown or not scopes:
        given = ", ".join(map(repr, unknown)) or "none"
        raise TokenRefused(f"scopes given: {given}; allowed: {', '.join(Scope.values)}")
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise TokenRefused(f"it would expire in {days} days; allowed: 1 to {MOST_DAYS}, or never")


def _detail(token: ApiToken) -> dict[str, Any]:
    return {"of": str(token.user), "scopes": token.scopes}


@transaction.atomic
def revoke_token(token: ApiToken, *, by: Any = None) -> bool:
    """From now on nobody is let in by it. Whether it was valid before."""
    if not ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=Now()):
        return False
    record_event(user=by, action="revoke token", subject=token, detail=_detail(token))
    return True


def count_use(token: ApiToken) -> tuple[int, float]:
    """Note one use; how many there are in this minute, this one included, and seconds until the next one."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_USE, [token.pk])
        n, seconds = cursor.fetchone()
    return n, float(seconds)
