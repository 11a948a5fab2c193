"""What a link will meet is told before the click, and looking writes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from survey_site.participation.models import Participant, SingleUseLink, StudySession
from survey_site.participation.recruitment.links import make_links
from survey_site.stimuli.models import IRIJob
from survey_site.studies.services import close_study, open_study, study_from_jobs
from tests.participation.test_recruiters import MTURK, PROLIFIC, study_of
from tests.participation.visitor import Visitor

pytestmark = pytest.mark.django_db


def told(study: str = "faces", **parameters: str) -> dict[str, Any]:
    answer = Visitor(study).client.get(f"/api/studies/{study}/", parameters)
    assert answer.status_code == 200
    link: dict[str, Any] = answer.json()["link"]
    return link


def fault(**parameters: str) -> str:
    return str(told(**parameters)["fault"])


def test_prolifics_links() -> None:
    study_of("prolific", recruiter_study_id="their-study")
    assert told(**PROLIFIC) == {"fault": "", "is_known": False}
    assert fault() == "recruiter_id_missing"
    assert fault(**{**PROLIFIC, "PROLIFIC_PID": "{{%PROLIFIC_PID%}}"}) == "invalid_recruiter_id"
    assert fault(**{**PROLIFIC, "PROLIFIC_PID": "x" * 101}) == "invalid_recruiter_id"
    assert fault(**{**PROLIFIC, "STUDY_ID": "another"}) == "wrong_recruiter_study"
    assert fault(mode="pilot") == ""
    assert (Participant.objects.count(), StudySession.objects.count()) == (0, 0)


def test_a_submission_of_somebody_else() -> None:
    study_of("prolific")
    assert Visitor().start(recruitment=PROLIFIC).status_code == 201
    assert told(**PROLIFIC) == {"fault": "", "is_known": True}
    assert fault(**{**PROLIFIC, "PROLIFIC_PID": "pid-of-bea"}) == "submission_taken"


def test_whoever_began_goes_on_though_the_study_is_closed_to_others() -> None:
    study = study_of("prolific")
    assert Visitor().start(recruitment=PROLIFIC).status_code == 201
    close_study(study=study)
    assert told(**PROLIFIC)["is_known"] is True
    assert told(**{**PROLIFIC, "PROLIFIC_PID": "new", "SESSION_ID": "new"})["is_known"] is False


def test_single_use_links_are_not_used_by_looking() -> None:
    [link] = make_links(study=study_of("single_use"), n=1)
    assert fault() == "recruiter_id_missing"
    assert fault(link="made-up") == "unknown_link"
    assert fault(link=link.token) == ""
    assert SingleUseLink.objects.get().used_at is None
    assert Visitor().start(recruitment={"link": link.token}).status_code == 201
    assert told(link=link.token) == {"fault": "", "is_known": True}
    StudySession.objects.all().delete()
    Participant.objects.all().delete()
    assert fault(link=link.token) == "link_used"


def test_mechanical_turks_links() -> None:
    study_of("mturk")
    assert fault(**MTURK) == ""
    assert fault(**{**MTURK, "turkSubmitTo": "https://evil.example"}) == "invalid_submit_address"
    assert fault(**{**MTURK, "assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE"}) == "preview_only"


def test_a_second_study_of_the_group() -> None:
    study_of("prolific", slug="one", group="twins")
    opened_twin = study_from_jobs(
        slug="two",
        name="Two",
        jobs=[IRIJob.objects.get()],
        n_catch=1,
        recruiter="prolific",
        group="twins",
    )
    open_study(study=opened_twin)
    first = Visitor("one")
    first.start(recruitment=PROLIFIC)
    assert told("two", **PROLIFIC)["fault"] == ""
    first.consent()
    assert told("two", **PROLIFIC)["fault"] == "took_part_already"
    assert told("one", **PROLIFIC) == {"fault": "", "is_known": True}


def test_what_the_welcome_tells() -> None:
    study = study_of("open", base_pay="2.50", currency="EUR", contact="lab@example.org")
    info = Visitor().info().json()
    assert info["pay"] == {"amount": "2.50", "currency": "EUR"}
    assert info["contact"] == "lab@example.org"
    assert set(info["texts"].values()) >= {""}
    close_study(study=study)
    study.texts.update(paused="Back on **Monday**.")
    study.texts.create(language="ar", **dict.fromkeys(("title", "welcome", "consent", "debrief"), "x"))
    open_study(study=study)
    info = Visitor().info().json()
    assert info["texts"]["paused"] == "<p>Back on <strong>Monday</strong>.</p>\n"
    assert info["languages"] == ["en", "ar"]


def test_a_study_that_is_not_there_has_one_code_everywhere() -> None:
    visitor = Visitor("nothing")
    for answer in (visitor.info(), visitor.start()):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_study")
