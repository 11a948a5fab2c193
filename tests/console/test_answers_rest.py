"""What people answered, over REST: sessions and decisions about them, scores, exports."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from survey_site.access.models import AuditEvent, Role
from survey_site.analysis.exporting.jobs import write_exports
from survey_site.analysis.results import compute_results
from survey_site.participation.models import StudySession
from survey_site.studies.models import Study
from tests.access.caller import Caller
from tests.builders import member, opened_study
from tests.participation.visitor import response, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def study() -> Study:
    """Open, with one session that came to its end and one under way."""
    made = opened_study(n=4)
    finished = running()
    shown = finished.presentations()
    finished.log(*(response(seq, one) for seq, one in enumerate(shown, start=1)))
    finished.finish(len(shown))
    running()
    compute_results(made, "real")
    return made


def test_sessions_are_listed_filtered_and_decided_about(study: Study) -> None:
    caller = Caller(member(Role.EDITOR, study))
    assert len(caller.get("studies/faces/sessions/")["results"]) == 2
    (under_way,) = caller.get("studies/faces/sessions/?state=consented")["results"]
    (done,) = caller.get("studies/faces/sessions/?state=finished&mode=real&version=1")["results"]
    path = f"studies/faces/sessions/{done['id']}/"
    left_out = caller.send("POST", f"{path}exclude/", {"reason": "a test"})
    assert left_out["exclusions"][0]["reason"] == "a test"
    excluded = caller.get("studies/faces/sessions/?excluded=true")["results"]
    assert [one["id"] for one in excluded] == [done["id"]]
    assert caller.send("POST", f"{path}include/")["exclusions"] == []
    approved = caller.send("POST", f"{path}approve/")
    assert approved["payments"][0]["state"] == "approved"
    assert caller.send("POST", f"{path}approve/")["payments"] == approved["payments"]
    bonus = {"amount": "1.50", "reason": "patience", "key": "00000000-0000-4000-8000-000000000001"}
    for _ in range(2):
        caller.send("POST", f"{path}bonus/", bonus)
    assert len(caller.get(path)["payments"]) == 2
    other = f"studies/faces/sessions/{under_way['id']}/"
    assert "still under way" in caller.send("POST", f"{other}approve/", status=409)["detail"]
    assert caller.send("POST", f"{other}release/")["state"] == "dropped"
    assert "finished, so its answers" in caller.send("POST", f"{path}release/", status=409)["detail"]
    missing = f"studies/faces/sessions/{'0' * 8}-0000-4000-8000-{'0' * 12}/"
    assert caller.send("POST", f"{missing}approve/", status=404)["code"] == "not_found"
    assert AuditEvent.objects.filter(action="release slot").count() == 1


@pytest.mark.parametrize(
    ("action", "body", "path"),
    [
        ("exclude", {}, "reason"),
        ("exclude", {"reason": "x" * 1001}, "reason"),
        ("reject", {"reason": "x", "category": "MOOD"}, "category"),
        ("bonus", {"reason": "x", "amount": "much"}, "amount"),
        ("exclude-by-rule", {}, "rule"),
    ],
)
def test_a_decision_lacking_its_reason_is_refused(study: Study, action: str, body: Any, path: str) -> None:
    session = StudySession.objects.all()[0]
    caller = Caller(member(Role.EDITOR, study))
    refused = caller.send("POST", f"studies/faces/sessions/{session.pk}/{action}/", body, status=422)
    assert refused["errors"][0]["path"] == path


def test_no_session_of_another_study_is_reached_by_this_ones_address(study: Study) -> None:
    other = opened_study("other", slug="other")
    session = StudySession.objects.all()[0]
    caller = Caller(member(Role.EDITOR, other))
    for method, tail in (("GET", ""), ("POST", "approve/"), ("POST", "release/")):
        caller.send(method, f"studies/other/sessions/{session.pk}/{tail}", status=404)


def test_scores_and_the_report_are_for_viewers(study: Study) -> None:
    caller = Caller(member(Role.VIEWER, study), "read")
    (score,) = caller.get("studies/faces/scores/")["results"]
    assert (score["condition"], score["n"], score["chance"]) == ("net-pool-reg_free", 4, 0.5)
    assert set(score["intervals"]["twoway"]) >= {"low", "high"}
    assert caller.get("studies/faces/scores/?mode=pilot")["results"] == []
    assert caller.get("studies/faces/results/")["report"]["scores"][0]["n"] == 4
    assert "pilot" in caller.send("GET", "studies/faces/results/?mode=pilot", status=404)["detail"]
    assert caller.send("GET", "studies/faces/scores/?mode=x", status=422)["errors"][0]["path"] == "mode"


def test_data_are_sent_at_once_or_written_and_fetched(study: Study) -> None:
    analyst = Caller(member(Role.ANALYST, study), "export")
    answer = analyst.ask("GET", "studies/faces/export/responses.csv?mode=real&exclusions=applied")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert len(rows) == 6  # 4 main trials and 2 catch trials
    asked = analyst.send("POST", "studies/faces/exports/", {"format": "sessions.csv"}, status=202)
    path = f"studies/faces/exports/{asked['id']}/"
    assert "no file" in analyst.send("GET", f"{path}file/", status=409)["detail"]
    write_exports()
    assert analyst.get(path)["state"] == "done"
    file = b"".join(analyst.ask("GET", f"{path}file/").streaming_content)
    assert len(file.decode().splitlines()) == 3
    assert [one["id"] for one in analyst.get("studies/faces/exports/")["results"]] == [asked["id"]]
    assert AuditEvent.objects.filter(action="download an export").count() == 1


def test_recruiters_ids_are_for_owners_and_no_token_without_the_scope_takes_data(study: Study) -> None:
    analyst, owner = member(Role.ANALYST, study), member(Role.OWNER, study)
    full = {"format": "sessions.csv", "level": "full"}
    refused = Caller(analyst).send("POST", "studies/faces/exports/", full, status=403)
    assert refused["code"] == "role_too_low"
    made = Caller(owner).send("POST", "studies/faces/exports/", full, status=202)
    assert Caller(analyst, "export").get("studies/faces/exports/")["results"] == []
    Caller(analyst, "export", "read").send("GET", f"studies/faces/exports/{made['id']}/", status=403)
    reader = Caller(owner, "read", "write")
    assert reader.send("GET", "studies/faces/export/responses.csv", status=403)["code"] == "scope_missing"


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("level=full", 403, "for its owners"),
        ("level=none", 422, "none"),
        ("since=soon", 422, "since"),
        ("version=99", 409, "has no version 99; versions: 1"),
        ("since=2026-02-01&until=2026-01-01", 409, "no day is in between"),
        ("colour=red", 422, "colour"),
    ],
)
def test_an_export_that_makes_no_sense_is_refused(study: Study, query: str, status: int, said: str) -> None:
    caller = Caller(member(Role.ANALYST, study))
    refused = caller.send("GET", f"studies/faces/export/sessions.csv?{query}", status=status)
    assert said in refused["detail"]


def test_an_unknown_file_is_named(study: Study) -> None:
    caller = Caller(member(Role.ANALYST, study))
    assert "responses.csv" in caller.send("GET", "studies/faces/export/x.csv", status=404)["detail"]
