"""API tokens: shown once, scoped, expiring, revoked, counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.test import Client

from survey_site.access.models import ApiToken, AuditEvent, Scope
from survey_site.access.tokens import TokenRefused, hash_of, make_token, revoke_token
from tests.access.caller import Caller, token_of
from tests.builders import logged_in, researcher, superuser

pytestmark = pytest.mark.django_db


def me(text: str) -> Any:
    return Client().get("/api/v1/me/", headers={"Authorization": f"Bearer {text}"})


def test_a_token_lets_its_researcher_in_and_is_kept_as_a_hash_only() -> None:
    text = token_of(researcher(), "read")
    answer = me(text)
    assert (answer.status_code, answer.json()["user"], answer.json()["scopes"]) == (200, "bea", ["read"])
    (token,) = ApiToken.objects.all()
    assert text not in str(vars(token))
    assert token.token_hash == hash_of(text)
    assert token.last_used_at is not None
    assert AuditEvent.objects.filter(action="make token").count() == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"revoked_at": Now()}, "token_unknown"),
        ({"expires_at": Now() - timedelta(seconds=1)}, "token_expired"),
    ],
)
def test_revoked_and_expired_tokens_let_nobody_in(change: dict[str, Any], code: str) -> None:
    text = token_of(researcher())
    ApiToken.objects.update(**change)
    answer = me(text)
    assert (answer.status_code, answer.json()["code"], answer["WWW-Authenticate"]) == (401, code, "Bearer")


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
def test_whoever_left_the_staff_is_not_let_in_by_an_old_token(change: dict[str, Any]) -> None:
    text = token_of(researcher())
    User.objects.update(**change)
    assert me(text).json()["code"] == "token_unknown"


def test_strangers_are_told_how_to_come_in() -> None:
    for text in ("", "iris_x", "ü" * 10):
        assert me(text).status_code == 401
    answer = Client().get("/api/v1/me/")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_token_does_no_more_than_its_scopes() -> None:
    caller = Caller(superuser(), "read")
    refused = caller.send("POST", "image-sets/", {"slug": "a", "name": "A"}, status=403)
    assert refused["code"] == "scope_missing"
    assert refused["detail"] == "this takes the scope write; the token has read"
    assert Caller(superuser_again(), "write").send("GET", "networks/", status=403)["code"] == "scope_missing"


def superuser_again() -> User:
    return User.objects.get(username="ada")


def test_a_token_used_too_often_waits_for_the_next_minute(settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 2
    text = token_of(researcher())
    assert [me(text).status_code for _ in range(3)] == [200, 200, 429]
    late = me(text)
    assert late.json()["code"] == "throttled"
    assert 0 < int(late["Retry-After"]) <= 60
    ApiToken.objects.update(minute_began_at=Now() - timedelta(seconds=61))
    assert me(text).status_code == 200
    assert me(token_of(researcher("cem"))).status_code == 200


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": ""}, "the name has 0 characters; allowed: 1 to 60"),
        ({"scopes": ["read", "fly"]}, "scopes given: 'fly'; allowed: read, write"),
        ({"scopes": []}, "scopes given: none; allowed: read, write"),
        ({"days": 366}, "it would expire in 366 days; allowed: 1 to 365"),
    ],
)
def test_what_is_wrong_with_a_token_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TokenRefused, match=said):
        make_token(**{"user": researcher(), "name": "x", "scopes": [Scope.READ], **given})


def test_a_name_is_free_again_once_its_token_is_revoked() -> None:
    bea = researcher()
    token, _ = make_token(user=bea, name="x", scopes=["read"])
    with pytest.raises(TokenRefused, match="bea has a token 'x' already"):
        make_token(user=bea, name="x", scopes=["read"])
    assert [revoke_token(token), revoke_token(token)] == [True, False]
    make_token(user=bea, name="x", scopes=["read"])


def test_a_browser_that_is_logged_in_needs_its_csrf_token_to_change_anything() -> None:
    assert logged_in(researcher()).get("/api/v1/me/").json()["token"] is None
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get())
    answer = client.post("/api/v1/image-sets/", "{}", content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")


def test_tokens_are_made_listed_and_revoked_by_a_command(capsys: Any) -> None:
    researcher()
    call_command("api_token", "make", "bea", "--name", "cron", "--scopes", "read", "export")
    text = capsys.readouterr().out.strip()
    assert me(text).json()["scopes"] == ["read", "export"]
    call_command("api_token", "list", "bea")
    assert "cron (iris_" in capsys.readouterr().out
    call_command("api_token", "revoke", "bea", "--name", "cron")
    assert me(text).status_code == 401
    with pytest.raises(CommandError, match="bea has no token 'cron'; there are: none"):
        call_command("api_token", "revoke", "bea", "--name", "cron")
    with pytest.raises(CommandError, match="there is no researcher 'nobody'; there are: bea"):
        call_command("api_token", "make", "nobody", "--name", "x")
