"""What the admin does with a study, by commands: for a lab's scripts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from survey_site.access.models import AuditEvent, Role
from survey_site.access.roles import role_of
from survey_site.studies.models import Study
from tests.builders import draft_study, image_set, member, opened_study, researcher, version_of

pytestmark = pytest.mark.django_db


def told(capsys: Any, *words: str) -> str:
    call_command(*words)
    return str(capsys.readouterr().out).strip()


def test_a_study_is_piloted_opened_paused_and_closed(capsys: Any) -> None:
    study, bea = draft_study(), researcher()
    assert told(capsys, "pilot_study", "faces", "--by", "bea").startswith("faces takes pilots for version 1")
    opened = told(capsys, "open_study", "faces", "--by", "bea")
    assert opened == f"faces is open as version 1 ({version_of(study).sha256})"
    assert told(capsys, "pause_study", "faces") == "faces is paused"
    assert told(capsys, "close_study", "faces") == "faces is closed"
    assert list(AuditEvent.objects.filter(user=bea).values_list("action", flat=True)) == [
        "open study",
        "pilot study",
    ]


@pytest.mark.parametrize("command", ["open_study", "pause_study", "close_study", "pilot_study"])
def test_what_a_study_does_not_allow_is_said(command: str) -> None:
    Study.objects.create(slug="empty", name="Empty")
    with pytest.raises(CommandError, match=r"no conditions|never opened"):
        call_command(command, "empty")
    with pytest.raises(CommandError, match="there is no study 'nowhere'; there are: empty"):
        call_command(command, "nowhere")
    with pytest.raises(CommandError, match="there is no researcher 'nobody'"):
        call_command(command, "empty", "--by", "nobody")


def test_a_study_is_cloned(capsys: Any) -> None:
    opened_study()
    bea = researcher()
    said = told(capsys, "clone_study", "faces", "--slug", "again", "--by", "bea")
    assert said == "again is a draft with 1 conditions"
    assert role_of(bea, Study.objects.get(slug="again")) == Role.OWNER
    bare = told(capsys, "clone_study", "faces", "--slug", "bare", "--without-conditions")
    assert bare == "bare is a draft with 0 conditions"
    with pytest.raises(CommandError, match="study 'again' exists already"):
        call_command("clone_study", "faces", "--slug", "again")


def test_roles_are_given_and_taken(capsys: Any) -> None:
    photos, cem = image_set(0), researcher("cem")
    member(Role.OWNER, photos, name="bea")
    said = told(capsys, "share", "image-set", "photos", "cem", "editor", "--by", "bea")
    assert said == "cem has the role editor on image-set photos"
    assert role_of(cem, photos) == Role.EDITOR
    assert (
        told(capsys, "share", "image-set", "photos", "cem", "none") == "cem has no role on image-set photos"
    )
    assert role_of(cem, photos) is None
    for words, fault in (
        (("image-set", "photos", "bea", "none"), "bea is the last owner of photos"),
        (("image-set", "photo", "bea", "owner"), "there is no image-set 'photo'; there are: photos"),
        (("network", "net", "bea", "owner"), "there is no network 'net'; there are: none yet"),
        (("image-set", "photos", "dan", "owner"), "there is no researcher 'dan'; there are: bea, cem"),
        (("image-set", "photos", "bea", "king"), "invalid choice: 'king'"),
    ):
        with pytest.raises(CommandError, match=fault):
            call_command("share", *words)


def test_how_a_study_stands(capsys: Any) -> None:
    opened_study()
    Study.objects.create(slug="empty", name="Empty")
    assert told(capsys, "study_status").splitlines() == [
        "empty: draft, never opened, sessions: 0 real, 0 pilot",
        "faces: open, v1, sessions: 0 real, 0 pilot",
    ]
    assert told(capsys, "study_status", "empty").splitlines()[-1] == "  the study has no conditions"
    state = json.loads(told(capsys, "study_status", "faces", "--json"))
    assert (state["status"], state["version"], state["missing"]) == ("open", 1, [])
