"""Exclusions in the admin: rules chosen with the study and frozen with it, sessions left out by hand."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from survey_site.access.models import AuditEvent, Role
from survey_site.access.services import give_role
from survey_site.analysis.models import Exclusion
from survey_site.participation.models import StudySession
from survey_site.studies.models import Study
from survey_site.studies.services import open_study, pause_study
from tests.analysis.answered_study import AnsweredStudy, answered_study
from tests.builders import draft_study, finished_job, logged_in, researcher, superuser, version_of
from tests.console.test_admin import study_form, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return logged_in(superuser())


def save(client: Client, study: Study, **changes: Any) -> Any:
    return client.post(url(Study, "change", study.pk), study_form(study, "_save", **changes))


def test_rules_are_chosen_by_switches_with_their_numbers_and_frozen_when_it_opens(client: Client) -> None:
    study = draft_study(n=2)
    save(client, study, exclude_too_fast="on", exclude_too_fast_share=0.5, exclude_unfinished="on")
    rows = list(study.exclusion_rules.values_list("name", "settings"))
    assert rows == [("too_fast", {"minimum_ms": 200.0, "share": 0.5}), ("unfinished", {})]
    page = client.get(url(Study, "change", study.pk))
    form = page.context["adminform"].form
    assert (form["exclude_too_fast"].value(), form["exclude_too_fast_share"].value()) == (True, 0.5)
    assert form["exclude_catch_rate"].value() is None

    frozen = open_study(study=study)
    assert frozen.settings["exclusion_rules"] == [
        {"rule": "too_fast", "version": 1, "minimum_ms": 200.0, "share": 0.5},
        {"rule": "unfinished", "version": 1},
    ]


def test_other_rules_are_another_version_and_the_former_keeps_its_own(client: Client) -> None:
    study = draft_study(n=2)
    first = open_study(study=study)
    assert open_study(study=study) == first
    pause_study(study=study)
    save(client, study, exclude_catch_rate="on")
    second = open_study(study=study)
    assert (first.exclusion_rules, second.number) == ([], 2)
    assert second.sha256 != first.sha256
    assert [rule.name for rule in version_of(study).exclusion_rules] == ["catch_rate"]


def test_a_number_that_makes_no_sense_is_refused_beside_its_switch(client: Client) -> None:
    study = draft_study(n=2)
    answer = save(client, study, exclude_catch_rate="on", exclude_catch_rate_minimum=75)
    assert answer.status_code == 200
    assert "catch_rate: minimum is 75.0; it must be above 0 and at most 1" in answer.content.decode()
    assert not study.exclusion_rules.exists()


def test_an_empty_number_is_the_rules_own_default(client: Client) -> None:
    study = draft_study(n=2)
    save(client, study, exclude_straight_lining="on", exclude_straight_lining_longest="")
    assert study.exclusion_rules.get().settings == {"longest": 12}


def test_the_studys_page_says_how_many_iris_are_shown_and_why_not_all(client: Client) -> None:
    study = draft_study(n=3)
    assert "all 3 finished IRIs are shown" in client.get(url(Study, "change", study.pk)).content.decode()
    condition = study.conditions.get()
    condition.iris().filter(target__name="0.png").update(
        passed=False, passed_reason="relative error 0.912 is above 0.5; the network's label is cat, not dog"
    )
    page = client.get(url(Study, "change", study.pk)).content.decode()
    assert (
        f"{condition.slug}: 2 of 3 finished IRIs are shown; 1 failed the quality check and are left out: "
        "relative error (1); the network&#x27;s label (1)" in page
    )
    link = f"{reverse('admin:stimuli_iri_changelist')}?layer__id__exact={condition.layer_id}"
    assert link in page
    failed = client.get(link, {"passed__exact": 0, "layer__id__exact": condition.layer_id})
    assert failed.status_code == 200


@pytest.fixture
def answered() -> AnsweredStudy:
    study = answered_study()
    study.answer(n=2)
    return study


def leave_out(client: Client, session: StudySession, reason: str) -> Any:
    return client.post(url(Exclusion, "add"), {"session": str(session.pk), "reason": reason})


def test_a_session_is_left_out_by_hand_with_a_reason(client: Client, answered: AnsweredStudy) -> None:
    session = StudySession.objects.all()[0]
    assert leave_out(client, session, "said so").status_code == 302
    exclusion = Exclusion.objects.get()
    assert (exclusion.session, exclusion.rule, exclusion.reason) == (session, "researcher", "said so")
    event = AuditEvent.objects.get()
    assert (event.action, event.detail) == (
        "exclude session",
        {"session": str(session.pk), "reason": "said so"},
    )
    assert "said so" in client.get(url(Exclusion, "changelist")).content.decode()


def test_no_reason_or_a_second_one_is_refused(client: Client, answered: AnsweredStudy) -> None:
    session = StudySession.objects.all()[0]
    assert "This field is required" in leave_out(client, session, " ").content.decode()
    leave_out(client, session, "said so")
    again = leave_out(client, session, "another").content.decode()
    assert f"session {session} is left out by hand already" in again
    assert Exclusion.objects.get().reason == "said so"


def test_it_can_be_taken_back_but_a_rules_verdict_cannot(client: Client, answered: AnsweredStudy) -> None:
    session, other = StudySession.objects.all()
    leave_out(client, session, "said so")
    ruled = Exclusion.objects.create(session=other, rule="too_fast", version=1, reason="too fast")
    assert client.post(url(Exclusion, "delete", ruled.pk), {"post": "yes"}).status_code == 403
    own = Exclusion.objects.get(rule="researcher")
    client.post(url(Exclusion, "delete", own.pk), {"post": "yes"})
    assert list(Exclusion.objects.values_list("rule", flat=True)) == ["too_fast"]
    assert list(AuditEvent.objects.order_by("pk").values_list("action", flat=True)) == [
        "exclude session",
        "include session",
    ]


def test_sessions_of_other_peoples_studies_cannot_be_left_out(answered: AnsweredStudy) -> None:
    bea = researcher()
    stranger = logged_in(bea)
    session = StudySession.objects.all()[0]
    refused = leave_out(stranger, session, "mine")
    assert "Select a valid choice" in refused.content.decode()
    Exclusion.objects.create(session=session, rule="researcher", version=1, reason="secret reason")
    assert "secret reason" not in stranger.get(url(Exclusion, "changelist")).content.decode()
    give_role(user=bea, role=Role.VIEWER, of=answered.study)
    assert "secret reason" in stranger.get(url(Exclusion, "changelist")).content.decode()
    assert "Select a valid choice" in leave_out(stranger, session, "mine").content.decode()


def test_an_iri_without_a_recorded_reason_is_counted_too(client: Client) -> None:
    job = finished_job(2, slug="late")
    job.iris.update(passed=None)
    study = draft_study(n=2)
    study.conditions.all().delete()
    from survey_site.studies.services import add_condition

    add_condition(study=study, layer=job.layer, recipe=job.recipe, image_set=job.image_set)
    page = client.get(url(Study, "change", study.pk)).content.decode()
    assert "0 of 2 finished IRIs are shown; 2 failed the quality check" in page
    assert "no reason was recorded (2)" in page
