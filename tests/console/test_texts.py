"""A study's texts are written beside what participants will see of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from survey_site.studies.models import Study
from survey_site.studies.services import open_study
from survey_site.studies.texts import FIELDS
from tests.builders import draft_study, logged_in, researcher, superuser

pytestmark = pytest.mark.django_db

PAGE = "/admin/builder/faces/texts/"


@pytest.fixture
def client() -> Client:
    return logged_in(superuser())


@pytest.fixture
def study() -> Study:
    return draft_study(n=2)


def given(client: Client, **changes: str) -> dict[str, Any]:
    texts = {name: f"Some *{name}*." for name in FIELDS}
    seen = client.get(PAGE).context["seen"]
    return {"seen": seen, "language": "en", "title": "New title", **texts, **changes}


def test_the_texts_are_saved_and_shown_as_people_see_them(client: Client, study: Study) -> None:
    page = client.post(PAGE, given(client), follow=True).content.decode()
    assert "The texts in en are saved." in page
    assert "<p>Some <em>consent</em>.</p>" in page
    text = study.texts.get()
    assert (text.title, text.welcome) == ("New title", "Some *welcome*.")


def test_texts_that_may_be_empty_are_there_to_be_filled(client: Client, study: Study) -> None:
    assert '<details class="builder-others">' in client.get(PAGE).content.decode()
    page = client.post(PAGE, given(client, full="No room *left*."), follow=True).content.decode()
    assert '<details class="builder-others" open>' in page
    assert "<p>No room <em>left</em>.</p>" in page
    assert (study.texts.get().full, study.texts.get().paused) == ("No room *left*.", "")


def test_another_language_begins_as_the_first_and_is_added(client: Client, study: Study) -> None:
    form = client.get(f"{PAGE}?language=new").context["form"]
    assert (form["language"].value(), form["title"].value()) == ("", study.texts.get().title)
    answer = client.post(PAGE, given(client, language="de", title="Bilder"))
    assert answer["Location"] == f"{PAGE}?language=de"
    assert set(study.texts.values_list("language", "title")) == {
        ("en", "Which picture looks most alike?"), ("de", "Bilder"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"language": "German"}, "allowed: two or three small letters"),
        ({"language": ""}, "This field is required"),
        ({"consent": "  "}, "This field is required"),
        ({"title": "x" * 121}, "at most 120 characters"),
        ({"welcome": "x" * 20_001}, "at most 20000 characters"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_saved(
    client: Client, study: Study, changes: dict[str, str], said: str
) -> None:
    page = client.post(PAGE, given(client, **changes)).content.decode()
    assert "Nothing was saved" in page
    assert said in page
    assert study.texts.get().title != "New title"


def test_whoever_comes_second_is_told_and_an_open_study_stays(client: Client, study: Study) -> None:
    mine = given(client)
    Study.objects.update(minutes=8)
    assert "was changed after you opened it here" in client.post(PAGE, mine).content.decode()
    mine = given(client)
    open_study(study=study)
    client.post(PAGE, mine)
    page = client.post(PAGE, given(client)).content.decode()
    assert "is open; pause or close it before its design is changed" in page
    assert study.texts.get().title != "New title"


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# Hi *you*", "<h1>Hi <em>you</em></h1>\n"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;\n"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("", ""),
    ],
)
def test_the_preview_is_what_the_page_will_show(
    client: Client, study: Study, markdown: str, html: str
) -> None:
    answer = client.post(f"{PAGE}preview/", {"markdown": markdown})
    assert answer.content.decode().replace("<p>&lt;", "&lt;").replace("gt;</p>", "gt;") == html
    stranger = logged_in(researcher("stranger"))
    assert stranger.post(f"{PAGE}preview/", {"markdown": "x"}).status_code == 404
