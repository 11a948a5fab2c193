"""Who may come by which link, what they take back, and what never leaves."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from survey_site.analysis.exports import stream_conditions_csv, stream_responses_csv
from survey_site.participation.models import (
    Participant,
    RecruiterId,
    SingleUseLink,
    StudySession,
    Submission,
)
from survey_site.studies.models import Study, TrialKind
from survey_site.studies.services import StudyRefused, open_study
from tests.builders import draft_study, opened_study
from tests.participation.test_allocation import at_once
from tests.participation.visitor import Visitor, counts, event, response

pytestmark = pytest.mark.django_db

PROLIFIC = {"PROLIFIC_PID": "pid-of-anna", "STUDY_ID": "their-study", "SESSION_ID": "submission-1"}
MTURK = {
    "workerId": "WORKER-OF-ANNA",
    "assignmentId": "ASSIGNMENT-1",
    "hitId": "HIT-1",
    "turkSubmitTo": "https://workersandbox.mturk.com",
}


def study_of(recruiter: str, **settings: Any) -> Study:
    codes = {
        "completion_code": "DONE",
        "refusal_code": "NO-CONSENT",
        "screened_out_code": "OUT",
        "failed_check_code": "FAILED",
    }
    return opened_study(recruiter=recruiter, **{"n": 2, "n_catch": 1, **codes, **settings})


def refused(visitor: Visitor, **recruitment: str) -> tuple[int, str]:
    answer = visitor.start(recruitment=recruitment)
    return answer.status_code, answer.json()["code"]


def options_of(kind: str) -> dict[str, dict[int, int]]:
    """By presentation the right place of each reference, of trials of this kind."""
    from survey_site.participation.models import Presentation

    return {
        str(shown.pk): {
            reference.index: shown.option_order.index(reference.answer.index)
            for reference in shown.trial.references.all()
        }
        for shown in Presentation.objects.filter(trial__kind=kind)
    }


def take(visitor: Visitor, *, catch_is_right: bool = True) -> Any:
    """Consent, answer everything, finish."""
    visitor.consent()
    catch = options_of(TrialKind.CATCH)
    entries = []
    for seq, shown in enumerate(visitor.presentations(), start=1):
        right = catch.get(shown["id"], {0: 0})[0]
        entries.append(response(seq, shown, right if catch_is_right else 1 - right))
    visitor.log(*entries)
    return visitor.finish(len(entries)).json()


def started(**recruitment: str) -> Visitor:
    visitor = Visitor()
    answer = visitor.start(recruitment=recruitment)
    assert answer.status_code == 201, answer.content
    return visitor


# Prolific


def test_prolific_participants_go_back_with_the_code_of_what_came_of_it() -> None:
    study_of("prolific", n_practice=1, practice_pass=1, practice_rounds=1, catch_pass=1)
    page = "https://app.prolific.com/submissions/complete?cc="
    declining = started(PROLIFIC_PID="a")
    assert declining.consent(agreed=False).json()["redirect_url"] == page + "NO-CONSENT"
    assert declining.me().json()["redirect_url"] == page + "NO-CONSENT"
    screened = started(PROLIFIC_PID="b")
    screened.consent()
    practice = next(shown for shown in screened.presentations() if shown["feedback"])
    wrong = 1 - options_of(TrialKind.PRACTICE)[practice["id"]][0]
    assert screened.log(response(1, practice, wrong)).json()["state"] == "screened_out"
    assert screened.me().json()["redirect_url"] == page + "OUT"


@pytest.mark.parametrize(("catch_is_right", "code"), [(True, "DONE"), (False, "FAILED")])
def test_too_few_right_catch_trials_have_a_code_of_their_own(catch_is_right: bool, code: str) -> None:
    study_of("prolific", catch_pass=1)
    done = take(started(**PROLIFIC), catch_is_right=catch_is_right)
    assert done["completion_code"] == code
    assert done["redirect_url"] == f"https://app.prolific.com/submissions/complete?cc={code}"


def test_a_study_without_the_code_for_failed_checks_pays_everybody() -> None:
    study_of("prolific", catch_pass=1, failed_check_code="")
    assert take(started(**PROLIFIC), catch_is_right=False)["completion_code"] == "DONE"


def test_no_study_opens_that_needs_more_catch_trials_than_it_has() -> None:
    study = draft_study(n_catch=1, catch_pass=2, failed_check_code="F")
    with pytest.raises(StudyRefused, match="2 right answers are needed of 1 catch trials"):
        open_study(study=study)


def test_a_code_cannot_change_where_the_way_back_leads() -> None:
    study_of("prolific", completion_code="X&cc=Y#/../", completion_url="https://elsewhere.example/")
    done = take(started(**PROLIFIC))
    assert done["redirect_url"] == ("https://app.prolific.com/submissions/complete?cc=X%26cc%3DY%23%2F..%2F")


def test_a_link_of_prolific_must_name_the_person_and_the_study() -> None:
    study_of("prolific", recruiter_study_id="their-study")
    assert refused(Visitor()) == (400, "recruiter_id_missing")
    assert refused(Visitor(), workerId="w") == (400, "recruiter_id_missing")
    assert refused(Visitor(), PROLIFIC_PID="p") == (400, "wrong_recruiter_study")
    assert refused(Visitor(), PROLIFIC_PID="p", STUDY_ID="other") == (400, "wrong_recruiter_study")
    assert refused(Visitor(), PROLIFIC_PID="p" * 10_000, STUDY_ID="their-study") == (
        400,
        "invalid_recruiter_id",
    )
    assert refused(Visitor(), **PROLIFIC | {"SESSION_ID": "s" * 10_000}) == (400, "invalid_recruiter_id")
    assert (counts()[0], Participant.objects.count()) == (0, 0)
    assert Visitor().start(mode="pilot").status_code == 201  # colleagues and bots have no id


def test_the_same_person_resumes_and_brings_the_submission_that_counts() -> None:
    study_of("prolific")
    first = started(**PROLIFIC)
    again = Visitor()
    assert again.start(recruitment=PROLIFIC | {"SESSION_ID": "submission-2"}).status_code == 200
    assert again.session.pk == StudySession.objects.get().pk
    assert Submission.objects.get().submission_id == "submission-2"
    assert first.me().status_code == 401
    assert refused(Visitor(), **PROLIFIC | {"PROLIFIC_PID": "eve", "SESSION_ID": "submission-2"}) == (
        409,
        "submission_taken",
    )
    assert Participant.objects.count() == 1


def test_one_participation_in_a_group_of_studies() -> None:
    for slug, group in (("one", "alike"), ("two", "alike"), ("three", "")):
        opened_study(slug, slug=slug, n=2, n_catch=0, recruiter="prolific", group=group)
    looked = Visitor("two")
    looked.start(recruitment={"PROLIFIC_PID": "p", "SESSION_ID": "s2"})  # opened, not consented
    taking = Visitor("one")
    taking.start(recruitment={"PROLIFIC_PID": "p", "SESSION_ID": "s1"})
    assert taking.consent().status_code == 200
    late = looked.consent()
    assert (late.status_code, late.json()["code"]) == (403, "took_part_already")
    assert Visitor("two").start(recruitment={"PROLIFIC_PID": "q", "SESSION_ID": "s3"}).status_code == 201
    assert Visitor("three").start(recruitment={"PROLIFIC_PID": "p", "SESSION_ID": "s4"}).status_code == 201
    StudySession.objects.filter(study__slug="two").delete()
    assert refused(Visitor("two"), PROLIFIC_PID="p") == (403, "took_part_already")
    declined = Visitor("two")
    declined.start(recruitment={"PROLIFIC_PID": "r"})
    declined.consent(agreed=False)
    assert Visitor("one").start(recruitment={"PROLIFIC_PID": "r"}).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_a_group_counts_a_person_once_who_consents_twice_at_once(broker: object) -> None:
    visitors = []
    for slug in ("one", "two"):
        opened_study(slug, slug=slug, n=2, n_catch=0, recruiter="prolific", group="alike")
        visitors.append(Visitor(slug))
        visitors[-1].start(recruitment={"PROLIFIC_PID": "p", "SESSION_ID": slug})
    answers = at_once(2, lambda number: visitors[number].consent().status_code)
    assert sorted(answers) == [200, 403]


# Mechanical Turk


def test_mturk_gets_its_form_and_the_worker_the_code() -> None:
    study_of("mturk")
    done = take(started(**MTURK))
    assert done["submit"] == {
        "action": "https://workersandbox.mturk.com/mturk/externalSubmit",
        "fields": {"assignmentId": "ASSIGNMENT-1", "outcome": "finished", "code": "DONE"},
    }
    assert (done["completion_code"], done["redirect_url"]) == ("DONE", None)


def test_a_worker_who_accepts_again_submits_the_new_assignment() -> None:
    study_of("mturk")
    started(**MTURK)
    again = Visitor()
    newer = {"assignmentId": "ASSIGNMENT-2", "turkSubmitTo": "https://www.mturk.com/"}
    assert again.start(recruitment=MTURK | newer).status_code == 200
    submit = take(again)["submit"]
    assert submit["action"] == "https://www.mturk.com/mturk/externalSubmit"
    assert submit["fields"]["assignmentId"] == "ASSIGNMENT-2"


def test_a_preview_of_a_hit_creates_nothing() -> None:
    study_of("mturk")
    preview = MTURK | {"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE"}
    assert refused(Visitor(), **preview) == (403, "preview_only")
    del preview["workerId"]
    assert refused(Visitor(), **preview) == (403, "preview_only")
    assert (StudySession.objects.count(), Participant.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://www.mturk.com",
        "https://www.mturk.com.evil.example",
        "https://www.mturk.com@evil.example",
        "https://evil.example/https://www.mturk.com",
        "https://www.mturk.com/../evil",
        "//www.mturk.com",
        "javascript:alert(1)//www.mturk.com",
        "https://www.mturk.com\\@evil.example",
        "https://www.mturk.com:8443",
    ],
)
def test_answers_are_sent_to_mturk_and_to_nobody_else(address: str) -> None:
    study_of("mturk")
    assert refused(Visitor(), **MTURK | {"turkSubmitTo": address}) == (400, "invalid_submit_address")
    assert counts()[0] == 0


def test_only_mturk_frames_the_page_and_only_of_its_own_studies() -> None:
    study_of("mturk")
    opened_study("other", slug="other", n=2)
    framed, plain = Client().get("/s/faces/"), Client().get("/s/other/")
    policy = framed["Content-Security-Policy"]
    frames = policy.split("frame-ancestors ")[1].split()
    forms = policy.split("form-action ")[1].split(";")[0].split()
    assert all(host.startswith("https://") and host.endswith(".mturk.com") for host in frames)
    assert "https://worker.mturk.com" in frames
    assert "https://workersandbox.mturk.com" in frames
    assert forms == ["'self'", "https://www.mturk.com", "https://workersandbox.mturk.com"]
    assert "*" not in policy
    assert "unsafe" not in policy
    assert "X-Frame-Options" not in framed
    assert plain["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in plain["Content-Security-Policy"]
    assert "form-action 'self'; " in plain["Content-Security-Policy"]


# Single-use links


def made_links(n: int) -> list[dict[str, str]]:
    out = io.StringIO()
    call_command("make_links", "faces", "--n", str(n), stdout=out)
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def test_a_single_use_link_makes_one_session_and_goes_on_with_it() -> None:
    study_of("single_use")
    rows = made_links(3)
    assert len({row["link"] for row in rows}) == 3
    assert rows[0]["link"].startswith("http://127.0.0.1:8000/s/faces/?link=")
    assert {row["used"] for row in rows} == {"0"}
    token = rows[0]["link"].split("link=")[1]
    first = started(link=token)
    first.consent()
    first.log(response(1, first.presentations()[0]))
    holder = Visitor()
    assert holder.start(recruitment={"link": token}).status_code == 200
    assert holder.session.pk == StudySession.objects.get().pk
    assert [shown["answered"] for shown in holder.presentations()].count(True) == 1
    assert SingleUseLink.objects.filter(used_at__isnull=False).count() == 1


def test_a_link_that_was_not_made_or_is_of_another_study_lets_nobody_in() -> None:
    study_of("single_use")
    other = opened_study("other", slug="other", n=2, recruiter="single_use")
    [row] = made_links(1)
    token = row["link"].split("link=")[1]
    assert refused(Visitor()) == (400, "recruiter_id_missing")
    assert refused(Visitor(), link="guessed") == (403, "unknown_link")
    assert refused(Visitor(other.slug), link=token) == (403, "unknown_link")
    assert (StudySession.objects.count(), Participant.objects.count()) == (0, 0)


def test_a_link_whose_session_was_deleted_makes_no_other() -> None:
    study_of("single_use")
    [row] = made_links(1)
    started(link=row["link"].split("link=")[1])
    Participant.objects.all().delete()
    assert refused(Visitor(), link=row["link"].split("link=")[1]) == (403, "link_used")


@pytest.mark.django_db(transaction=True)
def test_a_link_opened_many_times_at_once_makes_one_session(broker: object) -> None:
    study_of("single_use")
    [row] = made_links(1)
    token = row["link"].split("link=")[1]
    answers = at_once(6, lambda _: Visitor().start(recruitment={"link": token}).status_code)
    assert sorted(answers) == [200] * 5 + [201]
    assert StudySession.objects.count() == 1


def test_links_are_made_for_studies_that_want_them() -> None:
    study_of("prolific")
    with pytest.raises(CommandError, match="'faces' is no study of single-use links"):
        call_command("make_links", "faces", "--n", "1")
    Study.objects.update(recruiter="single_use")
    with pytest.raises(CommandError, match="0 links were asked for; allowed: 1 to 10,000"):
        call_command("make_links", "faces", "--n", "0")


# What leaves


@pytest.mark.parametrize(("recruiter", "person"), [("prolific", PROLIFIC), ("mturk", MTURK)])
def test_no_recruiters_id_leaves_in_an_export(recruiter: str, person: dict[str, str]) -> None:
    study = study_of(recruiter)
    visitor = started(**person)
    take(visitor)
    visitor.log(event(90, recruitment=person))
    text = "".join([*stream_responses_csv(study, mode="real"), *stream_conditions_csv(study)])
    assert text.count("\n") > 3
    ids = [value for name, value in person.items() if name != "turkSubmitTo"]
    hashes = RecruiterId.objects.values_list("external_id_hash", flat=True)
    assert [secret for secret in [*ids, *hashes] if secret in text] == []
