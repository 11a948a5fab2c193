"""A study's versions side by side, its life from there, and clones."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from survey_site.access.models import AuditEvent, Membership, Role
from survey_site.studies.models import Study, StudyStatus
from survey_site.studies.services import add_condition, create_study, open_study, pause_study
from survey_site.studies.version_changes import changes_between, words_changed
from tests.builders import (
    draft_study,
    finished_job,
    icon_image_of,
    logged_in,
    member,
    opened_study,
    researcher,
    superuser,
    version_of,
)
from tests.participation.visitor import Visitor

pytestmark = pytest.mark.django_db

PAGE = "/admin/versions/faces/"


@pytest.fixture
def client() -> Client:
    return logged_in(superuser())


def changed_study() -> Study:
    """Two versions: the second has another condition, consent, fixation and rule."""
    study = opened_study("a", n=3, n_catch=1, preregistration_url="https://osf.io/abcde")
    pause_study(study=study)
    job = finished_job(2, slug="b")
    add_condition(study=study, layer=job.layer, recipe=job.recipe, image_set=job.image_set)
    Study.objects.update(fixation_ms=0)
    study.texts.update(consent="You may stop *whenever* you want.")
    study.exclusion_rules.create(name="unfinished")
    open_study(study=study)
    return study


def test_what_changed_is_told_by_settings_texts_and_trials() -> None:
    study = changed_study()
    first, second = study.versions.order_by("number")
    found = changes_between(first, second)
    assert [str(one) for one in found.settings] == [
        "fixation (ms): 300 → 0",
        "conditions, b-pool-reg_free: added",
        "exclusion rules, unfinished: added",
    ]
    (text,) = found.texts
    assert text.where == "en, consent"
    assert ("added", "whenever you want.") in text.parts
    trials = {one.of: (one.added, one.removed) for one in found.trials}
    assert trials["b-pool-reg_free"] == (2, 0)
    assert "a-pool-reg_free" not in trials
    back = changes_between(second, first)
    assert [str(one) for one in back.settings][1:] == [
        "conditions, b-pool-reg_free: removed",
        "exclusion rules, unfinished: removed",
    ]
    nothing = changes_between(first, first)
    assert (nothing.settings, nothing.texts, nothing.trials) == ([], [], [])


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        ("", "", ()),
        ("", "new words", (("added", "new words"),)),
        ("old", "", (("removed", "old"),)),
        ("a b c", "a x c", (("same", "a "), ("removed", "b "), ("added", "x "), ("same", "c"))),
    ],
)
def test_words_changed(before: str, after: str, parts: tuple[tuple[str, str], ...]) -> None:
    assert words_changed(before, after) == parts


def test_the_page_lists_versions_with_hash_preregistration_and_sessions(client: Client) -> None:
    study = changed_study()
    Visitor().start()
    Visitor().start(mode="pilot")
    page = client.get(PAGE).content.decode()
    for version in study.versions.all():
        assert version.sha256 in page
    assert page.index("Version 2") < page.index("Version 1")
    assert 'href="https://osf.io/abcde"' in page
    assert "1 real session · 1 pilot session" in page
    assert "0 real sessions · 0 pilot sessions" in page
    assert "fixation (ms): 300 → 0" in page
    assert "<ins>whenever you want.</ins>" in page
    assert "b-pool-reg_free: 2 trials added" in page
    results = client.get("/admin/results/faces/").content.decode()
    assert 'Preregistered: <a href="https://osf.io/abcde"' in results
    assert version_of(study).sha256[:12] in results


def test_a_study_pauses_closes_and_opens_again_as_a_new_version(client: Client) -> None:
    study = opened_study(n=2)
    for status, said in (("paused", "Paused: no new sessions"), ("closed", "Closed: no new sessions")):
        assert said in client.post(f"{PAGE}{status}/", follow=True).content.decode()
        study.refresh_from_db()
        assert study.status == status
    study.texts.update(title="Other")
    assert "Open as version 2" in client.post(f"{PAGE}open/", follow=True).content.decode()
    assert client.post(f"{PAGE}burnt/").status_code == 404
    assert client.get(f"{PAGE}paused/").status_code == 405
    study.refresh_from_db()
    assert study.status == StudyStatus.OPEN


def test_what_cannot_open_or_pause_says_why(client: Client) -> None:
    create_study(slug="faces", name="Faces")
    assert "No version yet" in client.get(PAGE).content.decode()
    for status, why in (("open", "the study has no conditions"), ("paused", "never opened")):
        page = client.post(f"{PAGE}{status}/", follow=True).content.decode()
        assert "The study stays draft" in page
        assert why in page


def clone(client: Client, **form: str) -> Study:
    answer = client.post(f"{PAGE}clone/", {"name": "Again", "slug": "again", **form})
    assert answer.status_code == 302, answer.context["form"].errors
    return Study.objects.get(slug="again")


@pytest.mark.parametrize("with_conditions", [True, False])
def test_a_clone_is_a_draft_of_its_own(with_conditions: bool) -> None:
    study = draft_study("a", "b", n=2, n_catch=1, minutes=9, recruiter_study_id="p1",
                        preregistration_url="https://osf.io/x")  # fmt: skip
    study.questions.create(name="age", kind="number", label="Age")
    study.icons.create(label="cat", image=icon_image_of("cat"))
    study.exclusion_rules.create(name="side_bias", settings={"maximum": 0.8})
    open_study(study=study)
    editor = member(Role.EDITOR, study)
    before = list(Study.objects.filter(pk=study.pk).values())
    made = clone(logged_in(editor), **({"with_conditions": "on"} if with_conditions else {}))
    assert (made.status, made.minutes, made.n_catch, made.created_by) == ("draft", 9, 1, editor)
    assert (made.completion_code, made.recruiter_study_id, made.preregistration_url) == ("", "", "")
    assert made.texts.get().consent == study.texts.get().consent
    assert [one.name for one in made.questions.all()] == ["age"]
    assert made.icons.get().image == study.icons.get().image
    assert made.exclusion_rules.get().settings == {"maximum": 0.8}
    assert made.conditions.count() == (2 if with_conditions else 0)
    assert not made.versions.exists()
    assert Membership.objects.on(made).get().role == Role.OWNER
    assert list(Study.objects.filter(pk=study.pk).values()) == before
    assert (study.texts.count(), study.conditions.count()) == (1, 2)
    assert AuditEvent.objects.filter(action="clone study", subject="Faces").count() == 1


def test_a_clone_opens_as_the_same_trials(client: Client) -> None:
    study = opened_study("a", n=3, n_catch=1)
    version = open_study(study=clone(client, with_conditions="on"))
    same = changes_between(version_of(study), version)
    assert (same.trials, same.texts) == ([], [])
    assert {one.path[0] for one in same.settings} == {"slug"}  # codes differ, and are not told
    codes = [one.settings["completion_code"] for one in (version_of(study), version)]
    assert all(codes)
    assert codes[0] != codes[1]


def test_a_slug_that_is_taken_is_refused(client: Client) -> None:
    opened_study(n=2)
    answer = client.post(f"{PAGE}clone/", {"name": "Faces", "slug": "faces"})
    assert "Study with this Slug already exists" in answer.content.decode()
    assert Study.objects.count() == 1


def test_viewers_look_and_only_editors_act() -> None:
    study = opened_study(n=2)
    viewer = logged_in(member(Role.VIEWER, study))
    page = viewer.get(PAGE).content.decode()
    assert version_of(study).sha256 in page
    assert "Pause" not in page
    assert "/admin/builder/faces/" not in page
    assert viewer.post(f"{PAGE}paused/").status_code == 403
    assert viewer.post(f"{PAGE}clone/", {"name": "x", "slug": "x"}).status_code == 403
    stranger = logged_in(researcher("stranger"))
    assert stranger.get(PAGE).status_code == 404
    assert stranger.post(f"{PAGE}paused/").status_code == 404
    assert User.objects.count() == 2
