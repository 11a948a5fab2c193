"""A participant's walk over the API, from the link to the completion code."""

from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core import serializers
from django.test import Client

from survey_site.participation.models import LogEntry, Participant, Presentation, Response, StudySession
from survey_site.stimuli.models import IRI
from survey_site.studies.models import Study
from survey_site.studies.services import close_study, open_study, pause_study
from tests.builders import draft_study, opened_study
from tests.participation.visitor import Visitor, event, response, running

pytestmark = pytest.mark.django_db

NOTHING_YET = {"completion_code": None, "redirect_url": None, "submit": None, "withdraw_url": None}


@pytest.fixture
def study() -> Study:
    return opened_study(
        n=4, n_catch=1, completion_code="DONE42", refusal_code="NO", minutes=7, withdrawal="none"
    )


def test_the_whole_walk(study: Study) -> None:
    visitor = Visitor()
    info = visitor.info().json()
    assert (info["slug"], info["status"], info["accepting"], info["minutes"]) == ("faces", "open", True, 7)
    assert (info["languages"], info["image_px"]) == (["en"], 32)
    started = visitor.start(recruitment={"PROLIFIC_PID": "p1"})
    assert started.status_code == 201
    assert set(started.json()) == {"token", "session_id", "state"}
    assert started.json()["state"] == "created"
    assert visitor.consent().json() == {"state": "consented", **NOTHING_YET}
    manifest = visitor.manifest().json()
    shown = manifest["presentations"]
    assert [one["position"] for one in shown] == [0, 1, 2, 3, 4]
    assert (manifest["next_seq"], manifest["study_version"], manifest["state"]) == (1, 1, "consented")
    entries = [response(seq, one, seq % 2) for seq, one in enumerate(shown, start=1)]
    taken = visitor.log(event(6, page="debrief"), *entries)
    assert taken.status_code == 200
    assert taken.json() == {
        "acknowledged": [1, 2, 3, 4, 5, 6],
        "next_seq": 7,
        "state": "running",
        "feedback": {},
    }
    assert visitor.me().json()["state"] == "running"
    assert visitor.finish(6).json() == {
        "complete": True,
        **NOTHING_YET,
        "completion_code": "DONE42",
    }
    assert visitor.me().json() == {
        "session_id": started.json()["session_id"],
        "state": "finished",
        "screened_out_by": "",
        "study": "faces",
        "next_seq": 7,
        **NOTHING_YET,
        "completion_code": "DONE42",
    }
    for stored in Response.objects.select_related("presentation", "option"):
        order = stored.presentation.option_order
        assert stored.option is not None
        assert order.index(stored.option.index) == stored.entry.seq % 2
        assert (stored.rt, stored.rt_raw_ms, stored.refresh_hz) == (512, 512.3000000000001, 60.02)
        assert (stored.input, stored.trial_type, stored.confidence) == ("key", "iri-two-afc", None)
        assert stored.trial_index == stored.presentation.position


def test_looking_at_the_page_creates_nothing(study: Study) -> None:
    client = Client()
    for call in (client.get, client.head):
        answer = call("/s/faces/")
        assert answer.status_code == 200
        assert answer["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert client.get("/api/studies/faces/").status_code == 200
    assert client.get("/api/sessions/").status_code == 405
    assert not StudySession.objects.exists()
    assert not Participant.objects.exists()
    assert client.post("/s/faces/").status_code == 405


def test_the_same_recruiters_id_goes_on_with_its_session(study: Study) -> None:
    first, second = Visitor(), Visitor()
    began = first.start(recruitment={"PROLIFIC_PID": "p1", "STUDY_ID": "s"})
    first.consent()
    shown = first.presentations()
    first.log(response(1, shown[0]))
    resumed = second.start(recruitment={"PROLIFIC_PID": "p1", "STUDY_ID": "another"})
    assert resumed.status_code == 200
    assert resumed.json()["session_id"] == began.json()["session_id"]
    assert resumed.json()["state"] == "running"
    assert StudySession.objects.count() == 1
    again = second.manifest().json()
    assert [one["answered"] for one in again["presentations"]] == [True, False, False, False, False]
    assert again["next_seq"] == 2
    assert [one["id"] for one in again["presentations"]] == [one["id"] for one in shown]
    assert first.me().status_code == 401  # two tabs never write to one session


def test_a_known_id_goes_on_after_the_study_closed(study: Study) -> None:
    known, new = Visitor(), Visitor()
    known.start(recruitment={"workerId": "w"})
    known.consent()
    close_study(study=study)
    assert known.start(recruitment={"workerId": "w"}).status_code == 200
    shown = known.presentations()
    assert known.log(*[response(seq, one) for seq, one in enumerate(shown, 1)]).status_code == 200
    assert known.finish(len(shown)).json()["complete"] is True
    assert new.start(recruitment={"workerId": "v"}).status_code == 403


def test_other_ids_modes_and_recruiters_are_other_sessions(study: Study) -> None:
    for recruitment in ({"PROLIFIC_PID": "x"}, {"PROLIFIC_PID": "y"}, {"workerId": "x"}, {}, {}):
        assert Visitor().start(recruitment=recruitment).status_code == 201
    assert Visitor().start(recruitment={"PROLIFIC_PID": "x"}, mode="pilot").status_code == 201
    assert Participant.objects.count() == 5
    assert sorted(StudySession.objects.values_list("recruiter", flat=True)) == [
        "link", "link", "mturk", "prolific", "prolific", "prolific",
    ]  # fmt: skip


def test_the_recruiters_id_itself_is_stored_nowhere(study: Study) -> None:
    Visitor().start(recruitment={"PROLIFIC_PID": "5f3a-secret"})
    rows = [
        row
        for model in apps.get_app_config("participation").get_models()
        for row in model._default_manager.all()
    ]
    assert "5f3a-secret" not in serializers.serialize("json", rows)


def test_refusing_consent_gives_its_own_code_and_no_images(study: Study) -> None:
    visitor = Visitor()
    visitor.start()
    assert visitor.consent(agreed=False).json() == {
        "state": "refused",
        **NOTHING_YET,
        "completion_code": "NO",
    }
    assert visitor.me().json()["completion_code"] == "NO"
    assert visitor.manifest().status_code == 403
    assert visitor.log(event(1)).status_code == 403
    assert visitor.finish(0).status_code == 403
    assert Presentation.objects.count() == 0
    changed = visitor.consent()
    assert (changed.status_code, changed.json()["code"]) == (409, "decision_made")


def test_consenting_twice_is_harmless_and_taking_it_back_is_refused(study: Study) -> None:
    visitor = running()
    before = [one["id"] for one in visitor.presentations()]
    assert visitor.consent().json()["state"] == "consented"
    assert [one["id"] for one in visitor.presentations()] == before
    assert visitor.consent(agreed=False).json()["code"] == "decision_made"


def test_consent_to_a_text_that_changed_is_asked_for_again(study: Study) -> None:
    visitor = Visitor()
    visitor.start()
    refused = visitor.consent(consent_version="000000000000")
    assert (refused.status_code, refused.json()["code"]) == (409, "consent_changed")
    assert "'000000000000'" in refused.json()["detail"]
    assert visitor.me().json()["state"] == "created"
    assert visitor.consent().status_code == 200


def test_whoever_had_not_consented_yet_goes_on_with_the_new_version(study: Study) -> None:
    visitor, person = Visitor(), {"participant": "me"}
    visitor.start(recruitment=person)
    pause_study(study=study)
    study.texts.update(consent="Other terms.")
    open_study(study=study)
    visitor.start(recruitment=person)  # after a reload, which shows the new text
    assert visitor.consent().status_code == 200
    assert visitor.session.version.number == 2


def test_whoever_consented_stays_with_their_version(study: Study) -> None:
    visitor, person = Visitor(), {"participant": "me"}
    visitor.start(recruitment=person)
    visitor.consent()
    pause_study(study=study)
    study.texts.update(consent="Other terms.")
    open_study(study=study)
    visitor.start(recruitment=person)
    assert visitor.session.version.number == 1
    assert visitor.consent(consent_version="anything").json()["state"] == "consented"


def test_a_closed_paused_or_draft_study_takes_nobody(study: Study) -> None:
    for change, status in ((pause_study, "paused"), (close_study, "closed")):
        change(study=study)
        refused = Visitor().start()
        assert (refused.status_code, refused.json()) == (
            403,
            {"code": "study_closed", "detail": f"the study is {status}; it takes nobody now"},
        )
        assert Visitor().info().json()["accepting"] is False
    draft_study("other", slug="draft")
    assert Visitor("draft").info().json() == {
        "code": "not_open",
        "detail": "this study has not opened yet",
    }
    assert Visitor("draft").start().json()["code"] == "study_closed"
    assert (StudySession.objects.count(), Participant.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"study": "nothing"}, 404, "unknown_study"),
        ({"study": "no slug"}, 400, "invalid"),
        ({"mode": "test"}, 400, "invalid_mode"),
        ({"language": "xx"}, 400, "invalid_language"),
        ({"recruitment": ["a"]}, 400, "invalid"),
        ({"recruitment": {"PROLIFIC_PID": "a\0b"}}, 400, "invalid"),
        ({"recruitment": {"PROLIFIC_PID": "x" * 10_000}}, 400, "invalid_recruiter_id"),
        ({"recruitment": {"workerId": "x" * 101}}, 400, "invalid_recruiter_id"),
        ({"recruitment": {"participant": "a\u202eb"}}, 400, "invalid_recruiter_id"),
        ({"recruitment": {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"}}, 400, "invalid_recruiter_id"),
        ({"recruitment": {str(number): "" for number in range(51)}}, 400, "invalid"),
    ],
)
def test_a_start_that_cannot_be_creates_nothing(
    study: Study, change: dict[str, Any], status: int, code: str
) -> None:
    refused = Visitor().start(**change)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert (StudySession.objects.count(), Participant.objects.count()) == (0, 0)


def test_an_unknown_study_has_no_page_and_no_facts(study: Study) -> None:
    assert Visitor("nothing").info().status_code == 404
    assert Visitor("nothing").info().json()["code"] == "unknown_study"
    assert Client().get("/s/nothing/").status_code == 404


def test_finish_says_what_is_missing_and_then_gives_the_code(study: Study) -> None:
    visitor = running()
    shown = visitor.presentations()
    assert visitor.finish(0).json() == {
        "complete": False,
        "missing_seqs": [],
        "unanswered": [one["id"] for one in shown],
        "questionnaire_open": False,
    }
    visitor.log(*[response(seq, one) for seq, one in enumerate(shown, 1) if seq != 3])
    assert visitor.finish(7).json() == {
        "complete": False,
        "missing_seqs": [3, 6, 7],
        "unanswered": [shown[2]["id"]],
        "questionnaire_open": False,
    }
    assert visitor.me().json()["completion_code"] is None
    assert visitor.log(event(7), response(3, shown[2]), event(6)).json()["next_seq"] == 8
    assert visitor.finish(7).json()["completion_code"] == "DONE42"
    finished_at = visitor.session.finished_at
    assert visitor.finish(7).json()["completion_code"] == "DONE42"
    assert visitor.session.finished_at == finished_at


def test_finish_names_a_thousand_gaps_at_most(study: Study) -> None:
    assert running().finish(1_000_000).json()["missing_seqs"] == list(range(1, 1001))


def test_entries_are_taken_after_the_end_and_out_of_order(study: Study) -> None:
    visitor = running()
    shown = visitor.presentations()
    assert visitor.log(event(9), response(4, shown[3])).json()["next_seq"] == 1
    assert visitor.log(*[response(seq, shown[seq - 1]) for seq in (5, 2, 1, 3)]).json()["next_seq"] == 6
    assert visitor.finish(5).json()["complete"] is True
    late = visitor.log(event(6), event(8))
    assert late.json() == {"acknowledged": [6, 8], "next_seq": 7, "state": "finished", "feedback": {}}
    assert visitor.me().json()["state"] == "finished"
    assert LogEntry.objects.count() == 8


def test_finishing_leads_to_the_recruiters_address() -> None:
    opened_study(
        n=2,
        n_catch=0,
        trials_per_participant=1,
        completion_url="https://app.prolific.com/submissions/complete?cc=X",
    )
    visitor = running()
    visitor.log(response(1, visitor.presentations()[0]))
    done = visitor.finish(1).json()
    assert done["redirect_url"] == "https://app.prolific.com/submissions/complete?cc=X"
    assert len(done["completion_code"]) == 8  # made when the study opened


def test_the_manifest_does_not_hold_the_key(study: Study) -> None:
    visitor = running()
    text = visitor.manifest().content.decode()
    shown = Presentation.objects.select_related("trial").first()
    assert shown is not None
    secrets = {
        *(str(pk) for pk in IRI.objects.values_list("pk", flat=True)),
        *IRI.objects.values_list("image__sha256", flat=True),
        *IRI.objects.values_list("target_resized__sha256", flat=True),
        *IRI.objects.values_list("start_image__sha256", flat=True),
        *study.conditions.values_list("slug", flat=True),
        *(str(pk) for pk in shown.trial.options.values_list("pk", flat=True)),
        *(str(pk) for pk in Presentation.objects.values_list("trial_id", flat=True)),
        *("main", "catch", "practice", "condition", "kind", 'answer"', "target", "start", "DONE42"),
        settings.SECRET_KEY,
    }
    assert [secret for secret in secrets if secret in text] == []


def test_breaks_come_where_the_study_wants_them() -> None:
    opened_study(n=6, n_catch=0, break_every=2, fixation_ms=0, time_limit_ms=1500)
    manifest = running().manifest().json()
    assert [one["position"] for one in manifest["presentations"] if one["break_before"]] == [2, 4]
    assert manifest["settings"] == {
        "fixation_ms": 0,
        "time_limit_ms": 1500,
        "image_frames": None,
        "reference_ms": None,
        "mask_ms": 200,
        "confidence_levels": None,
        "image_scaling": "smooth",
        "pass_mark": 0,
    }


def test_nothing_is_told_without_a_token(study: Study) -> None:
    running()
    calls = [("GET", ""), ("POST", "consent/"), ("GET", "manifest/"), ("POST", "log/"), ("POST", "finish/")]
    for header in ({}, {"Authorization": "Session wrong"}, {"Authorization": "Token x"}):
        for method, path in calls:
            refused = Visitor().call(method, f"/api/sessions/me/{path}", {}, **header)
            assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Session")
            assert set(refused.json()) == {"code", "detail"}
