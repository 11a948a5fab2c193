"""Every change of what is shared, with who and when, on one page."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from survey_site.access.history import Change, ChangeList
from survey_site.access.models import Membership, Role
from survey_site.access.services import give_role
from survey_site.stimuli.models import ImageSet
from survey_site.studies.models import Study
from survey_site.studies.services import open_study, pause_study
from tests.builders import (
    NO_SHARING,
    draft_study,
    image_set,
    logged_in,
    member,
    network,
    researcher,
    superuser,
)
from tests.console.test_admin import url

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


def latest(thing: Any) -> Change:
    found: Change = ChangeList(thing)[0]
    return found


def fields(change: Change) -> list[tuple[str, str, str]]:
    return [(one.field, one.before, one.after) for one in change.fields]


def test_a_change_in_the_admin_says_who_and_what_it_was_before() -> None:
    photos = image_set(1)
    editor = logged_in(member(Role.EDITOR, photos, name="bea"))
    form = {"name": "Renamed", "slug": photos.slug, "licence": "CC0-1.0"}
    form |= {"targets-TOTAL_FORMS": "0", "targets-INITIAL_FORMS": "0"}
    assert editor.post(url(ImageSet, "change", photos.pk), form).status_code == 302
    changed = latest(photos)
    assert (changed.by, changed.kind, changed.what) == ("bea", "changed", "image set Renamed")
    assert ("name", photos.name, "Renamed") in fields(changed)
    assert ("licence", "–", "CC0-1.0") in fields(changed)


def test_what_a_command_changed_is_there_too_and_what_was_deleted() -> None:
    study = draft_study()
    text = study.texts.get()
    text.title = "Faces, again"
    text.save()
    changed = latest(study)
    assert (changed.by, changed.what) == ("", f"study text {text}")
    assert fields(changed)[0][::2] == ("title", "Faces, again")
    condition = study.conditions.get()
    condition.delete()
    assert (latest(study).kind, latest(study).what) == ("deleted", f"condition {condition.slug}")


def test_opening_and_pausing_are_changes_of_the_status() -> None:
    study = draft_study()
    open_study(study=study)
    assert ("status", "draft", "open") in fields(latest(study))
    pause_study(study=study)
    assert ("status", "open", "paused") in fields(latest(study))


def test_roles_are_part_of_it() -> None:
    made = network()
    bea = researcher()
    give_role(user=bea, role=Role.VIEWER, of=made)
    give_role(user=bea, role=Role.EDITOR, of=made)
    assert ("role", "viewer", "editor") in fields(latest(made))


def test_the_latest_come_first_and_a_page_holds_fifty() -> None:
    study = draft_study()
    for n in range(60):
        study.name = f"Name {n}"
        study.save()
    changes = ChangeList(study)
    assert [fields(one)[0][2] for one in changes[0:3]] == ["Name 59", "Name 58", "Name 57"]
    client = logged_in(superuser())
    first = client.get(url(Study, "history", study.pk)).content.decode()
    assert f"{len(changes)} changes" in first
    assert "Name 59" in first
    assert "Name 5<" not in first
    assert "Name 5<" in client.get(url(Study, "history", study.pk), {"page": 2}).content.decode()


def test_it_is_shown_to_those_with_whom_the_thing_is_shared() -> None:
    study = draft_study()
    page = url(Study, "history", study.pk)
    assert logged_in(member(Role.VIEWER, study)).get(page).status_code == 200
    assert logged_in(researcher()).get(page)["Location"] == reverse("admin:index")


def test_a_name_that_is_markup_is_text() -> None:
    study = draft_study()
    study.name = "<script>alert(1)</script>"
    study.save()
    page = logged_in(superuser()).get(url(Study, "history", study.pk)).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_one_owner_must_be_left_and_owners_share() -> None:
    photos = image_set(1)
    bea = member(Role.OWNER, photos, name="bea")
    cem = researcher("cem")
    owner = logged_in(bea)
    prefix = "access-membership-content_type-object_id"
    row = str(Membership.objects.on(photos).get(user=bea).pk)
    form = {
        "name": photos.name,
        "slug": photos.slug,
        "targets-TOTAL_FORMS": "0",
        "targets-INITIAL_FORMS": "0",
    }
    form |= NO_SHARING | {f"{prefix}-TOTAL_FORMS": "2", f"{prefix}-INITIAL_FORMS": "1"}
    form |= {f"{prefix}-0-id": row, f"{prefix}-0-user": str(bea.pk), f"{prefix}-0-role": "viewer"}
    form |= {f"{prefix}-1-user": str(cem.pk), f"{prefix}-1-role": "editor"}
    refused = owner.post(url(ImageSet, "change", photos.pk), form).content.decode()
    assert "one owner at least must be left" in refused
    form |= {f"{prefix}-0-role": "owner"}
    assert owner.post(url(ImageSet, "change", photos.pk), form).status_code == 302
    assert ImageSet.objects.held_by(cem, Role.EDITOR).get() == photos
