"""Stored results: computed when something changed, by one process, and what goes wrong stays visible."""

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from survey_site.analysis import results
from survey_site.analysis.exclusion_services import exclude_session
from survey_site.analysis.figures.catalogue import figures_of
from survey_site.analysis.models import AlignmentScore, StudyResults
from survey_site.analysis.results import compute_results, current_marks, due_results, refresh_results
from survey_site.analysis.services import alignment_of
from survey_site.analysis.tasks import refresh
from survey_site.celery import app
from survey_site.participation.models import StudySession
from tests.analysis.answered_study import AnsweredStudy, answered_study

pytestmark = pytest.mark.django_db


def rested() -> None:
    """As if enough time had passed since the last computation."""
    StudyResults.objects.update(rests_until=Now() - timedelta(seconds=1))


def test_what_nobody_answered_has_no_results(answered: AnsweredStudy) -> None:
    assert refresh_results() == 0
    assert not StudyResults.objects.exists()


def test_results_are_computed_once_and_again_when_answers_come(answered: AnsweredStudy) -> None:
    answered.answer(n=3)
    assert refresh_results() == 1
    assert refresh_results() == 0
    stored = StudyResults.objects.get()
    assert (stored.report["rows"]["scored"], stored.failure) == (30, "")
    answered.answer(n=1)
    rested()
    refresh()
    assert StudyResults.objects.get().report["rows"]["scored"] == 40


@pytest.mark.parametrize(
    "change",
    [
        lambda session: StudySession.objects.filter(pk=session.pk).update(last_seen_at=Now()),
        lambda session: StudySession.objects.filter(pk=session.pk).update(state="running"),
        lambda session: exclude_session(session, reason="a colleague"),
        lambda session: StudySession.objects.filter(pk=session.pk).delete(),
    ],
    ids=["an answer", "another state", "an exclusion by hand", "a withdrawal"],
)
def test_every_change_makes_them_due(answered: AnsweredStudy, change: Callable[[StudySession], Any]) -> None:
    sessions = answered.answer(n=2)
    StudyResults.objects.create(
        study=answered.study,
        mode="real",
        mark=current_marks()[answered.study.pk, "real"],
        rests_until=Now() - timedelta(seconds=1),
    )
    assert due_results() == []
    change(sessions[0])
    [(study, mode, _)] = due_results()
    assert (study, mode) == (answered.study, "real")


def test_an_expensive_study_rests_as_long_as_it_took(answered: AnsweredStudy) -> None:
    answered.answer(n=2)
    compute_results(answered.study, "real")
    StudyResults.objects.update(rests_until=Now() + timedelta(minutes=1))
    answered.answer(n=1)
    assert due_results() == []


def test_real_and_pilot_are_kept_apart(answered: AnsweredStudy) -> None:
    answered.answer(n=2)
    answered.answer(n=3, mode="pilot", share=0)
    assert refresh_results() == 2
    participants = {
        stored.mode: stored.report["scores"][0]["n_participants"] for stored in StudyResults.objects.all()
    }
    assert participants == {"real": 2, "pilot": 3}


def test_scores_are_stored_with_them(answered: AnsweredStudy) -> None:
    answered.answer(n=3)
    stored = compute_results(answered.study, "real")
    scores = AlignmentScore.objects.of_study(answered.study, "real")
    assert [(score.condition.slug, score.estimate) for score in scores] == [
        (score["condition"], score["score"]) for score in stored.report["scores"]
    ]


def test_lists_that_grow_with_people_are_not_kept(answered: AnsweredStudy) -> None:
    answered.answer(n=3)
    stored = compute_results(answered.study, "real")
    assert not {"by_participant", "by_item"} & set(stored.report)


def test_stored_figures_are_those_of_the_stored_report(answered: AnsweredStudy) -> None:
    answered.answer(n=3)
    compute_results(answered.study, "real")
    stored = StudyResults.objects.get()
    drawn = figures_of(stored.report)
    assert [(one.name, one.csv) for one in stored.figures.all()] == [(one.name, one.csv()) for one in drawn]
    assert stored.figures.get(name="scores").svg == drawn[0].svg()


def test_a_failure_is_kept_with_its_reason_and_the_others_are_computed(
    answered: AnsweredStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered.answer(n=2)
    compute_results(answered.study, "real")
    answered.answer(n=2)
    answered.answer(n=2, mode="pilot")
    rested()
    whole = alignment_of

    def fails_for_real(study: Any, mode: str, **options: Any) -> Any:
        if mode == "real":
            raise ValueError("a column is missing")
        return whole(study, mode, **options)

    monkeypatch.setattr(results, "alignment_of", fails_for_real)
    assert refresh_results() == 2
    real, pilot = StudyResults.objects.get(mode="real"), StudyResults.objects.get(mode="pilot")
    assert real.failure == "ValueError: a column is missing"
    assert real.report["scores"][0]["n_participants"] == 2  # what was there before
    assert (pilot.failure, pilot.report["scores"][0]["n_participants"]) == ("", 2)
    assert due_results() == []  # it would fail again
    monkeypatch.undo()
    answered.answer(n=1)
    rested()
    refresh_results()
    assert StudyResults.objects.get(mode="real").failure == ""


@pytest.mark.django_db(transaction=True)
def test_one_process_computes_while_others_go_on() -> None:
    study = answered_study()
    study.answer(n=2)
    held, done, found = threading.Event(), threading.Event(), []

    def somebody_else() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [results.REFRESH_LOCK])
            held.set()
            done.wait(30)
        connection.close()  # as a killed process would: the lock goes with it

    other = threading.Thread(target=somebody_else)
    other.start()
    assert held.wait(30)
    found.append(refresh_results())
    done.set()
    other.join()
    for _ in range(100):  # the server takes a moment to see that the other is gone
        found.append(refresh_results())
        if found[-1]:
            break
        time.sleep(0.1)
    assert (found[0], found[-1]) == (0, 1)


def test_beat_asks_for_it_and_lets_old_messages_expire() -> None:
    [entry] = [
        entry for entry in app.conf.beat_schedule.values() if entry["task"] == "analysis.refresh_results"
    ]
    assert entry["task"] in app.tasks
    assert entry["schedule"] == entry["options"]["expires"] == settings.RESULTS_SECONDS


def test_what_is_stored_is_strict_json(answered: AnsweredStudy) -> None:
    answered.answer(n=4, share=1)
    stored = compute_results(answered.study, "real")
    json.dumps(stored.report, allow_nan=False)
