"""Phones that a study refuses: counted, kept apart from everything, and free to come with a computer."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from survey_site.analysis.exports import stream_sessions_csv
from survey_site.analysis.figures.flow import flow_steps
from survey_site.analysis.session_columns import SESSION_PATHS, SessionFields
from survey_site.analysis.session_counts import session_counts
from survey_site.participation.models import SessionState, StudySession
from survey_site.studies.models import Study
from tests.builders import logged_in, opened_study, researcher, superuser
from tests.participation.visitor import Visitor, counts, event, running

pytestmark = pytest.mark.django_db

ANNA = {"participant": "anna"}


def study_of(**settings: Any) -> Study:
    blocking = {"mobile_policy": "block", "screened_out_code": "OUT", "withdrawal": "delete"}
    return opened_study(n=2, n_catch=0, **{**blocking, **settings})


def come(*, phone: bool, **changes: Any) -> Visitor:
    visitor = Visitor()
    answer = visitor.start(is_small_touch_device=phone, **changes)
    assert answer.status_code in (200, 201), answer.content
    return visitor


def sessions_of(study: Study, mode: str = "real") -> list[dict[str, str]]:
    text = "".join(stream_sessions_csv(study, mode=mode))
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_a_refused_phone_is_screened_out_with_its_reason_and_the_code_and_takes_no_place() -> None:
    study = study_of(quota=1)
    me = come(phone=True).me().json()
    assert (me["state"], me["screened_out_by"]) == ("screened_out", "device")
    assert me["completion_code"] == "OUT"
    assert me["withdraw_url"] is None
    counted = session_counts(study, "real")
    names = ("opened", "refused_device", "undecided", "declined", "started", "failed_practice")
    assert [counted[name] for name in names] == [1, 1, 0, 0, 0, 0]
    assert running().session.slot == 0


@pytest.mark.parametrize(
    ("policy", "phone"), [("allow", True), ("warn", True), ("block", False)], ids=["allow", "warn", "desk"]
)
def test_other_policies_and_other_devices_let_people_in(policy: str, phone: bool) -> None:
    study_of(mobile_policy=policy)
    me = come(phone=phone).me().json()
    assert (me["state"], me["screened_out_by"]) == ("created", "")


def test_the_same_person_may_come_with_a_computer_and_is_counted_once() -> None:
    study = study_of()
    come(phone=True, recruitment=ANNA)
    come(phone=True, recruitment=ANNA)
    assert session_counts(study, "real")["refused_device"] == 1
    visitor = come(phone=False, recruitment=ANNA)
    assert visitor.consent().json()["state"] == "consented"
    counted = session_counts(study, "real")
    assert (counted["opened"], counted["refused_device"], counted["started"]) == (1, 0, 1)


def test_a_phone_neither_ends_nor_takes_over_a_session_under_way() -> None:
    study_of()
    desk = come(phone=False, recruitment=ANNA)
    desk.consent()
    refused = Visitor().start(is_small_touch_device=True, recruitment=ANNA)
    assert (refused.status_code, refused.json()["code"]) == (403, "device_refused")
    assert desk.me().json()["state"] == "consented"


def test_a_refused_phone_can_do_nothing_more() -> None:
    study_of()
    phone = come(phone=True)
    before = counts()
    for answer in (phone.consent(), phone.manifest(), phone.log(event(1, event="x")), phone.finish(0)):
        assert answer.status_code in (403, 409), answer.content
    assert counts() == before
    assert phone.session.state == SessionState.SCREENED_OUT


def test_coming_with_a_phone_is_no_participation_in_the_group() -> None:
    study_of(group="lab")
    come(phone=True, recruitment=ANNA)
    opened_study("other", n=2, n_catch=0, slug="second", group="lab")
    assert Visitor("second").start(recruitment=ANNA).status_code == 201


def test_what_says_nothing_of_the_device_is_refused() -> None:
    study_of()
    refused = Visitor().start(is_small_touch_device="yes")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid")
    assert StudySession.objects.count() == 0


def test_a_screened_out_session_always_has_its_reason() -> None:
    study_of()
    visitor = running()
    with pytest.raises(IntegrityError, match="screened_out_by_something"), transaction.atomic():
        StudySession.objects.filter(pk=visitor.session.pk).update(state=SessionState.SCREENED_OUT)


def test_the_export_has_a_row_of_every_session_with_its_reason_and_nothing_that_names_anybody() -> None:
    assert len(SESSION_PATHS) == len(SessionFields._fields) - 1  # its recruiter ids are read apart
    study = study_of()
    come(phone=True, recruitment={"PROLIFIC_PID": "pid-of-anna"})
    declining = come(phone=False)
    declining.consent(agreed=False)
    running()
    come(phone=True, mode="pilot")
    rows = sessions_of(study)
    assert [(row["state"], row["screened_out_by"], row["consented"], row["minutes"]) for row in rows] == [
        ("screened_out", "device", "0", ""),
        ("refused", "", "0", ""),
        ("consented", "", "1", ""),
    ]
    assert "pid-of-anna" not in str(rows)
    assert [row["mode"] for row in sessions_of(study, "pilot")] == ["pilot"]
    [version] = study.versions.all()
    assert "".join(stream_sessions_csv(version, mode="real")).count("\n") == 4


def test_the_results_page_the_list_of_sessions_and_the_flow_chart_say_so() -> None:
    study = study_of()
    come(phone=True)
    admin = logged_in(superuser())
    sessions = admin.get("/admin/participation/studysession/").content.decode()
    assert "Screened out: device" in sessions
    page = admin.get("/admin/results/faces/").content.decode()
    assert "<strong>1</strong> screened out: device" in page
    report = {
        "sessions": session_counts(study, "real"),
        "exclusions": {"flow": {"assessed": 0, "kept": 0, "by_rule": {}}, "rules": []},
        "unfinished": {"sessions": 0},
    }
    assert ("screened out: device", 1) in flow_steps(report)[0].left


def test_whoever_sees_the_study_downloads_its_sessions() -> None:
    study_of()
    address = "/admin/export/faces/sessions.csv"
    admin = logged_in(superuser())
    file = admin.get(address)
    assert file["Content-Disposition"] == 'attachment; filename="faces-real-sessions.csv"'
    assert b"".join(file.streaming_content).startswith(b"participant_id,")  # type: ignore[attr-defined]
    assert Client().get(address).status_code == 302
    assert logged_in(researcher()).get(address).status_code == 404
