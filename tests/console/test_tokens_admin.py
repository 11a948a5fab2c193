"""A researcher's tokens in the admin."""

import pytest

from survey_site.access.models import ApiToken
from tests.access.test_tokens import me
from tests.builders import logged_in, researcher

pytestmark = pytest.mark.django_db


def test_the_admin_shows_a_new_token_once_and_only_to_its_owner() -> None:
    client = logged_in(researcher())
    page = client.post(
        "/admin/access/apitoken/add/", {"name": "notebook", "scopes": ["read", "export"], "days": "30"}
    )
    text = page.context["token"]
    assert text in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert me(text).json()["scopes"] == ["read", "export"]
    token = ApiToken.objects.get()
    shown = client.get(f"/admin/access/apitoken/{token.pk}/change/")
    assert shown.status_code == 200
    assert text not in shown.content.decode()
    stranger = logged_in(researcher("cem"))
    assert "notebook" not in stranger.get("/admin/access/apitoken/").content.decode()
    assert stranger.get(f"/admin/access/apitoken/{token.pk}/change/").status_code == 302
    again = client.post("/admin/access/apitoken/add/", {"name": "notebook", "scopes": ["read"], "days": "30"})
    assert "bea has a token &#x27;notebook&#x27; already" in again.content.decode()
    client.post("/admin/access/apitoken/", {"action": "revoke", "_selected_action": [token.pk]})
    assert me(text).status_code == 401
