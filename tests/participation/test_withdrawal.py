"""Withdrawing: by the personal link alone, at once, as the study said, and with a record that it happened."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from survey_site.access.models import AuditEvent
from survey_site.analysis.exports import stream_responses_csv
from survey_site.analysis.results import compute_results
from survey_site.analysis.session_counts import session_counts
from survey_site.participation.models import (
    LogEntry,
    Presentation,
    QuestionnaireAnswer,
    RecruiterId,
    Response,
    SessionState,
    StudySession,
    Submission,
)
from survey_site.participation.withdrawal_views import LANGUAGES, words_in
from survey_site.studies.models import Study
from survey_site.studies.services import open_study
from tests.builders import draft_study, opened_study
from tests.participation.test_allocation import at_once
from tests.participation.visitor import Visitor, counts, event, response

pytestmark = pytest.mark.django_db

PERSON = {"PROLIFIC_PID": "anna", "STUDY_ID": "t", "SESSION_ID": "s1"}


def study_that(withdrawal: str) -> Study:
    study = draft_study(n=3, n_catch=1, recruiter="prolific", withdrawal=withdrawal)
    study.questions.create(name="words", kind="text", label="?")
    open_study(study=study)
    study.refresh_from_db()
    return study


def took_part(*, until: int | None = None, **person: str) -> tuple[Visitor, str]:
    """Somebody who answered (the first `until`) trials, and the path of their link."""
    visitor = Visitor()
    assert visitor.start(recruitment=PERSON | person).status_code == 201
    visitor.consent()
    shown = visitor.presentations()[:until]
    entries: list[Any] = [response(seq, one) for seq, one in enumerate(shown, 1)]
    entries += [
        event(90, user_agent="a rare browser"),
        {"seq": 91, "kind": "questionnaire", "payload": {"answers": {"words": "I am Anna"}}},
    ]
    visitor.log(*entries)
    if until is None:
        done = visitor.finish(len(shown)).json()
        assert done["complete"] is True
        address = done["withdraw_url"]
    else:
        address = visitor.me().json()["withdraw_url"]
    assert address.startswith("http://127.0.0.1:8000/withdraw/")
    return visitor, address.removeprefix("http://127.0.0.1:8000")


def export(study: Study) -> str:
    return "".join(stream_responses_csv(study, mode="real"))


def post(path: str) -> Any:
    """As the form is sent: no cookie, no token."""
    return Client(enforce_csrf_checks=True).post(path)


def test_looking_at_the_page_takes_nothing_back() -> None:
    study_that("delete")
    _, path = took_part()
    before = counts()
    for call in (Client().get, Client().head):
        page = call(path)
        assert page.status_code == 200
    page = Client().get(path)
    assert "will be deleted at once" in page.content.decode()
    assert page["Referrer-Policy"] == "no-referrer"
    assert "no-store" in page["Cache-Control"]
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert not page.cookies
    assert counts() == before
    assert Client().put(path).status_code == 405


def test_deleting_leaves_that_somebody_withdrew_and_nothing_else() -> None:
    study = study_that("delete")
    visitor, path = took_part()
    compute_results(study, "real")
    assert export(study).count("\n") == 5
    page = post(path)
    assert (page.status_code, "have been deleted" in page.content.decode()) == (200, True)
    assert (Presentation.objects.count(), LogEntry.objects.count(), Response.objects.count()) == (0, 0, 0)
    assert not QuestionnaireAnswer.objects.exists()
    assert not Submission.objects.exists()
    assert export(study).count("\n") == 1
    assert compute_results(study, "real").report["rows"]["read"] == 0
    assert visitor.me().json()["state"] == "withdrawn"
    refused = visitor.log(event(100))
    assert (refused.status_code, refused.json()["code"]) == (403, "not_consented")
    [line] = AuditEvent.objects.filter(action="withdraw")
    assert (line.subject, line.detail) == ("Faces", {"mode": "real", "answers": "delete"})
    assert session_counts(study, "real")["withdrawn"] == 1


def test_who_withdrew_does_not_begin_anew_and_leaves_the_place() -> None:
    study_that("delete")
    visitor, path = took_part()
    slot = visitor.session.slot
    post(path)
    again = Visitor()
    assert again.start(recruitment=PERSON).json()["state"] == "withdrawn"
    assert again.manifest().json()["code"] == "withdrawn"
    heir, _ = took_part(PROLIFIC_PID="bob", SESSION_ID="s2")
    assert heir.session.slot == slot


@pytest.mark.parametrize("until", [None, 2])
def test_anonymising_keeps_the_choices_and_cuts_them_off_from_the_person(until: int | None) -> None:
    study = study_that("anonymise")
    visitor, path = took_part(until=until)
    before = visitor.session
    participant, choices = before.participant_id, list(Response.objects.values_list("option", flat=True))
    ended, began = before.finished_at, before.consented_at
    assert "will be anonymised at once" in Client().get(path).content.decode()
    assert "have been anonymised" in post(path).content.decode()
    kept = StudySession.objects.get(is_anonymised=True)
    assert list(Response.objects.values_list("option", flat=True)) == choices
    assert kept.state == (SessionState.FINISHED if until is None else SessionState.DROPPED)
    assert kept.participant_id != participant
    assert (kept.recruiter, kept.created_at.time().isoformat()) == ("link", "00:00:00")
    if ended and began and kept.finished_at and kept.consented_at:
        assert kept.finished_at - kept.consented_at == ended - began
    assert not RecruiterId.objects.filter(participant=kept.participant_id).exists()
    assert not Submission.objects.exists()
    assert not QuestionnaireAnswer.objects.exists()
    assert set(LogEntry.objects.values_list("kind", flat=True)) == {"response"}
    assert all(payload == {} for payload in LogEntry.objects.values_list("payload", flat=True))
    text = export(study)
    assert text.count("\n") == len(choices) + 1
    assert str(participant) not in text
    assert "prolific" not in text
    counted = session_counts(study, "real")
    assert (counted["opened"], counted["started"], counted["withdrawn"]) == (1, 1, 1)


def test_nothing_leads_from_the_person_to_the_anonymised_answers() -> None:
    study_that("anonymise")
    visitor, path = took_part()
    kept = visitor.session.pk
    post(path)
    # Their token, and their recruiter's id, lead to the note that they withdrew.
    assert visitor.me().json()["session_id"] != str(kept)
    assert visitor.me().json()["state"] == "withdrawn"
    note = StudySession.objects.get(state=SessionState.WITHDRAWN)
    assert note.pk != kept
    assert note.slot is None
    refused = visitor.log(event(100))
    assert refused.status_code == 403
    assert Visitor().start(recruitment=PERSON).json()["state"] == "withdrawn"


def test_withdrawing_twice_is_harmless() -> None:
    study_that("anonymise")
    _, path = took_part()
    post(path)
    before = (counts(), StudySession.objects.count())
    assert "have been anonymised" in post(path).content.decode()
    assert "have been anonymised" in Client().get(path).content.decode()
    assert (counts(), StudySession.objects.count()) == before
    assert AuditEvent.objects.filter(action="withdraw").count() == 1


def test_a_link_that_nobody_gave_out_takes_nothing_back() -> None:
    study_that("delete")
    visitor, path = took_part()
    other, _ = took_part(PROLIFIC_PID="bob", SESSION_ID="s2")
    mac = path.rstrip("/")[-32:]
    before = counts()
    for forged in (
        path.replace(mac, "0" * 32),
        path.replace(str(visitor.session.pk), str(other.session.pk)),
        path.replace(mac, "x"),
    ):
        assert Client().get(forged).status_code == 404
        assert post(forged).status_code == 404
    assert counts() == before


def test_a_study_that_offers_none_has_no_link() -> None:
    study = opened_study(n=2, n_catch=0, trials_per_participant=1, withdrawal="none")
    visitor = Visitor()
    visitor.start()
    visitor.consent()
    visitor.log(response(1, visitor.presentations()[0]))
    assert visitor.finish(1).json()["withdraw_url"] is None
    study.refresh_from_db()


def test_before_consent_and_after_declining_there_is_nothing_to_withdraw() -> None:
    opened_study(n=2, n_catch=0)
    visitor = Visitor()
    visitor.start()
    assert visitor.me().json()["withdraw_url"] is None
    assert visitor.consent(agreed=False).json()["withdraw_url"] is None


@pytest.mark.django_db(transaction=True)
def test_answers_that_come_while_somebody_withdraws_go_too_or_are_refused(broker: object) -> None:
    study_that("anonymise")
    visitor, path = took_part(until=1)
    shown = visitor.presentations()[1:]

    def act(number: int) -> int:
        if number == 0:
            return int(post(path).status_code)
        return int(visitor.log(event(100 + number), response(number + 1, shown[number - 1])).status_code)

    answers = at_once(len(shown) + 1, act)
    assert answers[0] == 200
    assert set(answers[1:]) <= {200, 401}  # the token is gone with the person
    assert Response.objects.count() == 1 + answers[1:].count(200)
    assert not LogEntry.objects.exclude(kind="response").exists()
    assert all(payload == {} for payload in LogEntry.objects.values_list("payload", flat=True))


def test_every_language_of_the_page_has_every_word() -> None:
    languages = sorted(file.stem for file in LANGUAGES.glob("*.json"))
    assert languages == ["ar", "de", "en", "es", "fr"]
    for language in languages:
        assert words_in(language).keys() == words_in("en").keys()
        assert all(json.dumps(text) for text in words_in(language).values())
    assert words_in("../../settings") == words_in("eo") == words_in("en")


def test_the_page_speaks_the_sessions_language() -> None:
    study = draft_study(n=2, n_catch=0)
    study.texts.update(language="de", title="Bilder")
    open_study(study=study)
    visitor = Visitor()
    visitor.start(language="de")
    visitor.consent()
    path = visitor.me().json()["withdraw_url"].removeprefix("http://127.0.0.1:8000")
    page = Client().get(path).content.decode()
    assert '<html lang="de"' in page
    assert "Antworten zurückziehen" in page
    assert "Studie: Bilder" in page


def test_the_page_offers_its_languages_and_keeps_the_one_chosen() -> None:
    study_that("delete")
    _, address = took_part()
    page = Client().get(address).content.decode()
    assert '<a href="?lang=ar" lang="ar" hreflang="ar">العربية</a>' in page
    german = Client().get(f"{address}?lang=de").content.decode()
    assert '<html lang="de" dir="ltr">' in german
    assert "Antworten zurückziehen" in german
    assert 'dir="rtl"' in Client().get(f"{address}?lang=ar").content.decode()
    assert '<html lang="en"' in Client().get(f"{address}?lang=../../settings").content.decode()
    done = Client().post(f"{address}?lang=fr").content.decode()
    assert "Vos réponses ont été supprimées" in done
