"""Two researchers edit one study: the later one is told what the other did, and nothing is overwritten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from survey_site.access.models import Membership
from survey_site.studies.models import Study, StudyStatus
from survey_site.studies.services import open_study, pause_study
from tests.builders import draft_study, logged_in, researcher, superuser

TOLD = "This study was changed after you opened it here, so nothing of yours was saved."


@pytest.fixture
def study(db: None) -> Study:
    superuser()
    study = draft_study(n=3)
    Membership.objects.create(user=researcher("bea"), role="editor", content_object=study)
    return study


def client_of(name: str) -> Client:
    return logged_in(User.objects.get(username=name))


def address(study: Study) -> str:
    return reverse("admin:studies_study_change", args=[study.pk])


def form(client: Client, study: Study) -> dict[str, Any]:
    """What the page as it stands would send."""
    page = client.get(address(study))
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    found = {bound.html_name: bound.value() for one in forms for bound in one}
    return {name: value for name, value in found.items() if value is not None and value is not False}


def test_the_later_one_is_told_who_changed_what(study: Study) -> None:
    ada, bea = client_of("ada"), client_of("bea")
    hers, mine = form(ada, study), form(bea, study)
    assert ada.post(address(study), {**hers, "n_catch": 1, "texts-0-title": "Other"}).status_code == 302
    answer = bea.post(address(study), {**mine, "n_catch": 3, "minutes": 44})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert TOLD in page
    assert "UTC, ada: study Faces changed (catch trials: 2 → 1)" in page
    assert "UTC, ada: study text Faces (en) changed (title: Which picture looks most alike? → Other)" in page
    assert 'value="44"' in page  # what was typed is not lost
    study.refresh_from_db()
    assert (study.n_catch, study.minutes, study.texts.get().title) == (1, 5, "Other")
    assert bea.post(address(study), {**mine, "n_catch": 3}).status_code == 200  # nor the second time
    assert bea.post(address(study), {**form(bea, study), "n_catch": 3}).status_code == 302


def test_a_change_past_the_forms_is_told_too(study: Study) -> None:
    bea = client_of("bea")
    mine = form(bea, study)
    Study.objects.update(minutes=12)
    page = bea.post(address(study), {**mine, "minutes": 3}).content.decode()
    assert TOLD in page
    assert "It was changed by a command or the shell." in page
    assert Study.objects.get().minutes == 12


@pytest.mark.parametrize("seen", ["", "x", "0", "999 yesterday", "1 2026-01-01T00:00", "\x00"])
def test_a_form_that_does_not_say_what_it_shows_saves_nothing(study: Study, seen: str) -> None:
    bea = client_of("bea")
    given = {**form(bea, study), "seen": seen, "minutes": 3}
    assert bea.post(address(study), given).status_code == 200
    del given["seen"]
    assert bea.post(address(study), given).status_code == 200
    assert Study.objects.get().minutes == 5


def test_a_form_from_before_it_opened_changes_nothing(study: Study) -> None:
    bea = client_of("bea")
    mine = form(bea, study)
    open_study(study=study)
    answer = bea.post(address(study), {**mine, "n_catch": 3, "texts-0-title": "Late"})
    assert TOLD in answer.content.decode()
    assert "status: draft → open" in answer.content.decode()
    study.refresh_from_db()
    assert (study.n_catch, study.texts.get().title) == (2, "Which picture looks most alike?")


def test_of_an_open_study_only_what_may_change_is_saved(study: Study) -> None:
    open_study(study=study)
    bea = client_of("bea")
    page = bea.get(address(study))
    assert "This study is open, so its design is locked" in page.content.decode()
    locked = page.context["adminform"].form.fields
    assert {name for name, field in locked.items() if not field.disabled} == {
        "seen", *Study.EDITABLE_WHILE_OPEN,
    }  # fmt: skip
    forged = {**form(bea, study), "name": "Better", "n_catch": 0, "exclude_unfinished": "on"}
    forged |= {"conditions-0-iri_seed": 9, "texts-0-title": "Forged", "conditions-0-DELETE": "on"}
    assert bea.post(address(study), forged).status_code == 302
    study.refresh_from_db()
    assert (study.name, study.n_catch, study.status) == ("Better", 2, StudyStatus.OPEN)
    assert study.texts.get().title == "Which picture looks most alike?"
    assert not study.exclusion_rules.exists()
    assert study.conditions.get().iri_seed == 0
    pause_study(study=study)
    assert "design is locked" not in bea.get(address(study)).content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_save_at_once_one_is_told(study: Study) -> None:
    barrier = Barrier(2)

    def save(name: str, minutes: int) -> int:
        try:
            client = client_of(name)
            given = {**form(client, study), "minutes": minutes}
            barrier.wait(60)
            return client.post(address(study), given).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(save, ["ada", "bea"], [7, 8]))
    assert sorted(found) == [200, 302]
    assert Study.objects.get().minutes == (7 if found[0] == 302 else 8)
