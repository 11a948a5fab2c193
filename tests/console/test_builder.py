"""The study builder: conditions picked from what is found, a plan with what it comes to, saved in one go."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from survey_site.access.models import AuditEvent, Membership, Role
from survey_site.stimuli.finished_pairs import finished_pairs, parse_key
from survey_site.stimuli.models import IRI, ImageSet, IRIStatus, Network
from survey_site.studies.models import Condition, Study
from survey_site.studies.services import create_study, open_study
from tests.builders import (
    draft_study,
    finish,
    finished_job,
    logged_in,
    member,
    opened_study,
    queued_job,
    researcher,
    superuser,
)

pytestmark = pytest.mark.django_db

PAGE = "/admin/builder/faces/"
PLAN = {
    "trials_per_participant": 0, "n_catch": 2, "n_practice": 0, "practice_pass": 0, "practice_rounds": 2,
    "n_repeats": 0, "repeat_distance": 5, "break_every": 40, "fixation_ms": 300, "time_limit_ms": "",
    "minutes": 5, "quota": "",
}  # fmt: skip
SHOWN = {"shown-format": "two_afc", "shown-n_options": 2, "shown-foil_rule": "start", "shown-shows": "iri"}
ASSUMED = {
    "assumed-participants": 20, "assumed-share": 0.8, "assumed-participant_sd": 0.3, "assumed-item_sd": 0.3,
}  # fmt: skip


@pytest.fixture
def ada() -> User:
    return superuser()


@pytest.fixture
def client(ada: User) -> Client:
    return logged_in(ada)


@pytest.fixture
def study(ada: User) -> Study:
    return create_study(slug="faces", name="Faces", created_by=ada)


def keys(user: User) -> list[str]:
    return [pair.key for pair in finished_pairs(user, most=99)[0]]


def given(client: Client, **changes: Any) -> dict[str, Any]:
    return {**PLAN, **SHOWN, **ASSUMED, "seen": client.get(PAGE).context["seen"], **changes}


def problems(answer: Any) -> str:
    assert answer.status_code == 200
    return " ".join(answer.context["problems"])


# What can be picked ---------------------------------------------------------------------------------------


def test_pairs_are_counted_with_their_quality_and_first_images(ada: User) -> None:
    job = finished_job(5, slug="a")
    finish(queued_job(4, slug="b"), passed=False)
    IRI.objects.filter(pk=job.iris.all()[0].pk).update(passed=False, relative_error=0.9)
    (a, b), n = finished_pairs(ada, most=99)
    assert (n, a.layer.network.slug, b.layer.network.slug) == (2, "a", "b")
    assert (a.n, a.done, a.passed, a.is_whole) == (5, 5, 4, True)
    assert a.median_error == pytest.approx(0.1)
    assert (b.done, b.passed) == (4, 0)
    assert [iri.target.name for iri in a.shown] == ["0.png", "1.png", "2.png"]
    assert {iri.layer.network.slug for iri in b.shown} == {"b"}


def test_what_is_not_found_yet_is_not_offered_and_what_is_partly_found_cannot_be_picked(
    client: Client, ada: User, study: Study
) -> None:
    job = finished_job(3, slug="partly")
    queued_job(2, slug="waiting")
    IRI.objects.filter(pk=job.iris.all()[0].pk).update(status=IRIStatus.FAILED)
    ((pair,), _) = finished_pairs(ada, most=99)
    assert (pair.n, pair.done, pair.is_whole) == (3, 2, False)
    page = client.get(PAGE).content.decode()
    assert "2 of 3 found: finish or queue again first" in page
    assert "Waiting" not in page


def test_only_networks_and_sets_that_are_shared_are_offered(study: Study) -> None:
    for slug in ("mine", "half", "other"):
        finished_job(2, slug=slug)
    bea = member(Role.EDITOR, study)
    for model, slugs in ((Network, ["mine", "half"]), (ImageSet, ["mine-photos", "other-photos"])):
        for slug in slugs:
            Membership.objects.create(user=bea, role="viewer", content_object=model.objects.get(slug=slug))
    assert [pair.layer.network.slug for pair in finished_pairs(bea, most=9)[0]] == ["mine"]
    page = logged_in(bea).get(PAGE).content.decode()
    assert ("Mine" in page, "Other" in page, "Half" in page) == (True, False, False)


def test_pairs_are_found_by_words_and_limited(ada: User) -> None:
    for slug in ("alpha", "beta"):
        finished_job(2, slug=slug)
    assert [one.layer.network.slug for one in finished_pairs(ada, wanted="BET pool", most=9)[0]] == ["beta"]
    assert finished_pairs(ada, wanted="alpha beta", most=9) == ([], 0)
    pairs, n = finished_pairs(ada, most=1)
    assert (len(pairs), n) == (1, 2)


@pytest.mark.parametrize("key", ["", "1-2-3", "a-b-c-d", "1-2-3-4-5x", f"1-2-3-{2**63}", "1-2-3-"])
def test_a_key_that_names_nothing(key: str) -> None:
    assert parse_key(key) is None


def test_a_key_holds_a_negative_seed() -> None:
    assert parse_key("1-2-3--4") == {"layer_id": 1, "recipe_id": 2, "image_set_id": 3, "iri_seed": -4}


# Saving ---------------------------------------------------------------------------------------------------


def test_the_ticked_ones_and_the_plan_are_saved_in_one_go(client: Client, ada: User, study: Study) -> None:
    for slug in ("a", "b"):
        finished_job(4, slug=slug)
    sent = given(client, pick=keys(ada), n_repeats=2, minutes=9, **{"shown-foil_rule": "natural"})
    answer = client.post(PAGE, sent, follow=True)
    assert "2 conditions added. Saved." in answer.content.decode()
    study.refresh_from_db()
    assert (study.n_repeats, study.minutes, study.quota) == (2, 9, None)
    assert list(study.conditions.values_list("slug", "foil_rule", "format")) == [
        ("a-pool-reg_free", "natural", "two_afc"),
        ("b-pool-reg_free", "natural", "two_afc"),
    ]
    assert AuditEvent.objects.filter(action="change design", user=ada).count() == 1
    open_study(study=study)


def test_a_condition_is_removed_unless_people_saw_it(client: Client, ada: User) -> None:
    study = draft_study("a", "b", n=2)
    client.post(PAGE, given(client, remove=["a-pool-reg_free"]))
    assert [one.slug for one in study.conditions.all()] == ["b-pool-reg_free"]
    assert (
        "there is no condition &#x27;a-pool-reg_free&#x27; to remove"
        in client.post(PAGE, given(client, remove=["a-pool-reg_free"])).content.decode()
    )
    open_study(study=study)
    client.post("/admin/versions/faces/paused/")
    told = problems(client.post(PAGE, given(client, remove=["b-pool-reg_free"], minutes=77)))
    assert "condition b-pool-reg_free is part of an opened version, so it stays" in told
    study.refresh_from_db()
    assert (study.minutes, study.conditions.count()) == (5, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shown-format": "magic"}, "see the fields marked below"),
        ({"minutes": ""}, "see the fields marked below"),
        ({"repeat_distance": 0}, "see the fields marked below"),
        ({"pick": ["1-2-3"]}, "a ticked condition does not exist"),
        ({"pick": ["1-2-3-9"]}, "is gone or not shared with you"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_saved(
    client: Client, ada: User, study: Study, changes: dict[str, Any], said: str
) -> None:
    finished_job(3)
    before = Study.objects.values().get()
    answer = client.post(PAGE, given(client, **{"pick": keys(ada), "n_catch": 1, **changes}))
    assert said in problems(answer)
    assert Study.objects.values().get() == before
    assert not Condition.objects.exists()


def test_what_a_format_does_not_allow_is_said_beside_the_field(
    client: Client, ada: User, study: Study
) -> None:
    finished_job(3)
    answer = client.post(PAGE, given(client, pick=keys(ada), **{"shown-n_options": 3}))
    assert "two_afc with 3 options; allowed: 2" in answer.content.decode()
    assert not study.conditions.exists()


def test_the_same_condition_is_not_added_twice(client: Client, ada: User, study: Study) -> None:
    finished_job(3)
    client.post(PAGE, given(client, pick=keys(ada)))
    assert "asks exactly that already" in problems(client.post(PAGE, given(client, pick=keys(ada))))
    client.post(PAGE, given(client, pick=keys(ada), **{"shown-shows": "target"}))
    assert study.conditions.count() == 2


def test_a_pair_of_others_cannot_be_picked_by_its_key(ada: User, study: Study) -> None:
    finished_job(3)
    client = logged_in(member(Role.EDITOR, study))
    assert "not shared with you" in problems(client.post(PAGE, given(client, pick=keys(ada))))
    assert not study.conditions.exists()


def test_an_open_study_is_shown_and_not_changed(client: Client, ada: User) -> None:
    study = opened_study(n=3)
    finished_job(2, slug="new")
    page = client.get(PAGE).content.decode()
    assert "This study is open, so its design is locked" in page
    answer = client.post(PAGE, given(client, pick=keys(ada)[1:], n_catch=0))
    assert "is open, so its design is locked" in problems(answer)
    study.refresh_from_db()
    assert (study.n_catch, study.conditions.count()) == (2, 1)


def test_whoever_comes_second_is_told(client: Client, ada: User, study: Study) -> None:
    finished_job(3)
    mine = given(client, n_catch=1, pick=keys(ada))
    study.texts.update(title="Meanwhile")
    answer = client.post(PAGE, mine)
    assert "was changed after you opened it here" in problems(answer)
    assert answer.context["seen"] == mine["seen"]
    assert "checked" in answer.content.decode()
    study.refresh_from_db()
    assert (study.n_catch, study.conditions.count()) == (2, 0)


# What it comes to -----------------------------------------------------------------------------------------


def outlook(client: Client, **changes: Any) -> Any:
    answer = client.post(f"{PAGE}outlook/", {**PLAN, **SHOWN, **ASSUMED, **changes})
    assert answer.status_code == 200
    return answer.context["outlook"]


def test_the_numbers_follow_the_form_and_nothing_is_saved(client: Client, ada: User) -> None:
    study = draft_study("a", n=6)
    finished_job(4, slug="b")
    before = (Study.objects.values().get(), Condition.objects.count())
    pick = [key for key in keys(ada) if key.split("-")[0] != str(study.conditions.get().layer_id)]
    found = outlook(
        client, pick=pick, trials_per_participant=5, n_catch=1, n_practice=3, n_repeats=1, break_every=3
    )
    assert (found.total, found.main, found.again, found.catch, found.practice) == (10, 5, 1, 1, 3)
    assert (found.trials, found.blocks, found.breaks, found.balanced_at) == (7, 3, 2, 4)
    assert [(one.trials, one.per_person, one.is_new) for one in found.conditions] == [
        (6, 3.0, False), (4, 2.0, True),
    ]  # fmt: skip
    assert found.minutes == pytest.approx((7 * 3.3 + 3 * 5.3 + 2 * 20 + 75) / 60)
    assert found.faults == []
    assert (Study.objects.values().get(), Condition.objects.count()) == before


def test_more_participants_make_narrower_intervals_and_more_power(client: Client) -> None:
    draft_study("a", n=6)
    few, many = (
        outlook(client, **{"assumed-participants": n, "assumed-share": 0.65}).conditions[0].expected
        for n in (10, 100)
    )
    assert (few.answers, many.answers) == (60, 600)
    assert many.half_width < few.half_width
    assert many.power >= few.power
    assert many.power > 0.5


def test_faults_are_said_beside_the_numbers(client: Client, ada: User) -> None:
    draft_study("a", n=3)
    found = outlook(client, n_catch=9, n_repeats=4)
    assert [fault.partition(" ")[0] for fault in found.faults] == ["9", "4"]
    found = outlook(client, pick=keys(ada), **{"shown-format": "matching", "shown-n_options": 3})
    assert found.conditions[1].fault.startswith("1 trial makes no score")
    found = outlook(client, pick=keys(ada), **{"shown-format": "classification", "shown-n_options": 3})
    assert found.conditions[1].fault.startswith("classification needs a label for every image")
    assert found.conditions[0].expected is not None


def test_removed_ones_do_not_count(client: Client) -> None:
    draft_study("a", "b", n=3)
    assert outlook(client, remove=["a-pool-reg_free"]).total == 3
    assert outlook(client, remove=["a-pool-reg_free", "b-pool-reg_free"]).conditions == []


@pytest.mark.parametrize(
    "changes",
    [{"n_catch": "x"}, {"assumed-participants": 10**9}, {"assumed-share": 1}, {"assumed-share": "nan"}],
)
def test_numbers_that_cannot_be_are_named(client: Client, changes: dict[str, Any]) -> None:
    draft_study(n=3)
    answer = client.post(f"{PAGE}outlook/", {**PLAN, **SHOWN, **ASSUMED, **changes})
    assert answer.status_code == 200
    assert answer.context["outlook"] is None
    assert "is missing or out of range" in answer.content.decode()


def test_a_large_study_is_planned_too(client: Client) -> None:
    draft_study("a", n=30)
    found = outlook(client, trials_per_participant=10, **{"assumed-participants": 2000})
    expected = found.conditions[0].expected
    assert (expected.participants, expected.items, expected.answers) == (2000, 30, 20_000)


# The page -------------------------------------------------------------------------------------------------


def test_the_page_says_who_takes_part_and_who_is_left_out(client: Client, study: Study) -> None:
    Study.objects.update(group="lab", mobile_policy="block", n_practice=4, practice_pass=3, quota=40)
    study.exclusion_rules.create(name="catch_rate", settings={"minimum": 0.8})
    page = client.get(PAGE).content.decode()
    for words in (
        "group “lab”",
        "Phones: block",
        "3 of 4 right within 2 rounds",
        "40 participants",
        "<code>catch_rate v1</code> leaves out: fewer than 80% of the catch trials right",
    ):
        assert words in page


def test_the_studys_form_leads_here(client: Client, study: Study) -> None:
    page = client.get(f"/admin/studies/study/{study.pk}/change/").content.decode()
    for address in (PAGE, f"{PAGE}texts/", f"{PAGE}pilot/", "/admin/versions/faces/"):
        assert f'href="{address}"' in page
    assert page.count('name="seen"') == 1


def test_only_editors_come_in(study: Study) -> None:
    for role in Role:
        status = 200 if role in (Role.EDITOR, Role.OWNER) else 403
        client = logged_in(member(role, study))
        assert client.get(PAGE).status_code == status
        assert client.post(f"{PAGE}outlook/", {}).status_code == status
    assert logged_in(researcher("stranger")).get(PAGE).status_code == 404
    assert Client().get(PAGE)["Location"].startswith("/admin/login/")
