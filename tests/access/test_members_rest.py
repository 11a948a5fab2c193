"""Sharing over REST: for owners, and somebody is always left who may."""

from __future__ import annotations

import pytest

from survey_site.access.models import AuditEvent, Role
from survey_site.access.roles import role_of
from tests.access.caller import Caller
from tests.builders import image_set, member, researcher

pytestmark = pytest.mark.django_db


def test_an_owner_gives_changes_and_takes_roles() -> None:
    photos, cem = image_set(0), researcher("cem")
    owner = Caller(member(Role.OWNER, photos))
    given = owner.send("PUT", "image-sets/photos/members/cem/", {"role": "viewer"})
    assert given == {"user": "cem", "role": "viewer"}
    owner.send("PUT", "image-sets/photos/members/cem/", {"role": "editor"})
    assert role_of(cem, photos) == Role.EDITOR
    listed = owner.get("image-sets/photos/members/")["results"]
    assert listed == [{"user": "owner", "role": "owner"}, {"user": "cem", "role": "editor"}]
    assert AuditEvent.objects.filter(action="share").first().detail["roles"]["cem"] == "editor"  # type: ignore[union-attr]
    owner.send("DELETE", "image-sets/photos/members/cem/", status=204)
    assert role_of(cem, photos) is None


def test_the_last_owner_stays() -> None:
    photos = image_set(0)
    owner = Caller(member(Role.OWNER, photos))
    for method, body in (("DELETE", None), ("PUT", {"role": "viewer"})):
        refused = owner.send(method, "image-sets/photos/members/owner/", body, status=409)
        assert refused["detail"] == "owner is the last owner of photos; make somebody else owner first"


def test_lesser_roles_do_not_share_and_strangers_find_nothing() -> None:
    photos = image_set(0)
    for role in (Role.VIEWER, Role.ANALYST, Role.EDITOR):
        caller = Caller(member(role, photos))
        assert caller.send("GET", "image-sets/photos/members/", status=403)["code"] == "role_too_low"
        put = caller.send("PUT", f"image-sets/photos/members/{role}/", {"role": "owner"}, status=403)
        assert put["code"] == "role_too_low"
    stranger = Caller(researcher("eve"))
    there, not_there = (
        stranger.send("GET", f"image-sets/{slug}/members/", status=404) for slug in ("photos", "nowhere")
    )
    assert there == not_there


def test_nobody_and_no_role_are_named() -> None:
    owner = Caller(member(Role.OWNER, image_set(0)))
    assert owner.send("PUT", "image-sets/photos/members/x/", {"role": "viewer"}, status=404)["detail"] == (
        "there is no researcher 'x'"
    )
    refused = owner.send("PUT", "image-sets/photos/members/owner/", {"role": "king"}, status=422)
    assert refused["errors"][0]["path"] == "role"
    assert "king" in refused["errors"][0]["detail"]
