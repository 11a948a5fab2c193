"""The results page and its downloads: for those who may, and the figures that the file gives too."""

import io
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.test import Client

from survey_site.access.models import AuditEvent, Membership, Role
from survey_site.access.services import make_owner
from survey_site.analysis.models import AlignmentScore, StudyResults
from survey_site.analysis.results import refresh_results
from survey_site.participation.models import StudySession
from survey_site.studies.models import Study
from tests.analysis.answered_study import AnsweredStudy, answered_study
from tests.builders import logged_in, opened_study, researcher, superuser
from tests.participation.visitor import counts, running

pytestmark = pytest.mark.django_db

PAGES = [
    "",
    "figures/scores.svg",
    "figures/scores.png",
    "figures/scores.csv",
    "report.html",
    "report.pdf",
]


def address(page: str = "", slug: str = "faces") -> str:
    return f"/admin/results/{slug}/{page}"


def read(answer: object) -> str:
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]


@pytest.fixture
def answered() -> AnsweredStudy:
    study = answered_study()
    study.answer(n=5)
    refresh_results()
    return study


def test_the_anonymous_are_asked_to_log_in(answered: AnsweredStudy) -> None:
    for page in PAGES:
        refused = Client().get(address(page))
        assert (refused.status_code, refused["Location"]) == (
            302,
            f"/admin/login/?next={address(page)}",
        )
    assert not AuditEvent.objects.exists()


def test_another_researcher_finds_nothing(answered: AnsweredStudy) -> None:
    stranger = logged_in(researcher())
    assert [stranger.get(address(page)).status_code for page in PAGES] == [404] * len(PAGES)
    assert not AuditEvent.objects.exists()


def test_whoever_holds_a_role_sees_it(answered: AnsweredStudy) -> None:
    bea = researcher()
    Membership.objects.create(user=bea, role=Role.ANALYST, content_object=answered.study)
    client = logged_in(bea)
    assert [client.get(address(page)).status_code for page in PAGES] == [200] * len(PAGES)


def test_somebody_with_a_role_but_not_of_the_staff_is_asked_to_log_in(answered: AnsweredStudy) -> None:
    person = researcher()
    person.is_staff = False
    person.save()
    make_owner(user=person, of=answered.study)
    client = logged_in(person)
    assert [client.get(address(page)).status_code for page in PAGES] == [302] * len(PAGES)


def test_an_unknown_study_or_mode_is_not_found_and_writing_is_not_allowed(answered: AnsweredStudy) -> None:
    client = logged_in(superuser())
    for page in PAGES:
        assert client.get(address(page, "houses")).status_code == 404
        assert client.post(address(page)).status_code == 405
        assert client.get(address(page), {"mode": "test"}).status_code == 404
    assert not AuditEvent.objects.exists()


def test_the_page_shows_each_condition_with_its_interval_and_figure(answered: AnsweredStudy) -> None:
    page = logged_in(superuser()).get(address()).content.decode()
    score = AlignmentScore.objects.get(condition__slug="first")
    assert f'<td data-score="{score.estimate}"><strong>{score.estimate:.3f}</strong></td>' in page
    assert f"{score.interval('twoway').low:.3f} – {score.interval('twoway').high:.3f}" in page
    assert page.count("<tr data-condition=") == 2
    assert "<svg" in page
    assert "<strong>5</strong> finished" in page
    assert "ResNet · avgpool · two-alternative forced choice" in page
    assert "from 55 responses" in page


def test_the_live_part_comes_alone(answered: AnsweredStudy) -> None:
    client = logged_in(superuser())
    live = client.get(address(), headers={"X-Live": "1"}).content.decode()
    assert "data-score" in live
    assert "<html" not in live


def test_without_responses_the_page_says_what_to_do() -> None:
    answered_study()
    client = logged_in(superuser())
    assert "No real responses yet. Send people the participant link" in client.get(address()).content.decode()
    pilot = client.get(address(), {"mode": "pilot"}).content.decode()
    assert "manage.py simulate_participants faces --n 30 --p-target 0.8" in pilot
    assert client.get(address("figures/scores.svg")).status_code == 404


def test_real_and_pilot_are_shown_apart(answered: AnsweredStudy) -> None:
    answered.answer(n=2, mode="pilot", share=0)
    refresh_results()
    client = logged_in(superuser())
    pilot = client.get(address(), {"mode": "pilot"}).content.decode()
    assert re.findall(r'data-score="([^"]*)"', pilot) == ["0.0", "0.0"]
    assert "<strong>2</strong> finished" in pilot


def test_who_answered_since_is_said_and_nothing_is_computed_for_a_page(answered: AnsweredStudy) -> None:
    before = StudyResults.objects.values().get()
    for session in answered.answer(n=2):
        StudySession.objects.filter(pk=session.pk).update(last_seen_at=Now())
    page = logged_in(superuser()).get(address()).content.decode()
    assert "2 sessions have answered since" in page
    assert StudyResults.objects.values().get() == before


def test_answers_that_were_never_computed_are_announced() -> None:
    for session in answered_study().answer(n=1):
        StudySession.objects.filter(pk=session.pk).update(last_seen_at=Now())
    page = logged_in(superuser()).get(address()).content.decode()
    assert "Answers have come in. The results are computed every 5 s" in page
    assert "No real responses yet" not in page


def test_a_failed_computation_is_said_beside_the_older_figures(answered: AnsweredStudy) -> None:
    StudyResults.objects.update(failure="ValueError: <odd>")
    page = logged_in(superuser()).get(address()).content.decode()
    assert "failed (ValueError: &lt;odd&gt;). What is shown is older." in page
    assert page.count("<tr data-condition=") == 2


def test_results_that_another_release_stored_are_not_shown_but_computed_anew(answered: AnsweredStudy) -> None:
    stored = StudyResults.objects.get()
    report = {name: part for name, part in stored.report.items() if name not in ("format", "warnings")}
    StudyResults.objects.update(report=report, mark="0:else", rests_until=Now())
    client = logged_in(superuser())
    page = client.get(address())
    assert page.status_code == 200
    assert "results-warnings" not in page.content.decode()
    assert client.get(address("report.html")).status_code == 404
    assert refresh_results() == 1
    assert client.get(address("report.html")).status_code == 200


def test_a_poll_is_answered_by_not_modified_until_something_changes(answered: AnsweredStudy) -> None:
    client = logged_in(superuser())
    first = client.get(address(), headers={"X-Live": "1"})
    again = {"X-Live": "1", "If-None-Match": first["ETag"]}
    assert client.get(address(), headers=again).status_code == 304
    answered.answer(n=1)
    assert client.get(address(), headers=again).status_code == 200


def test_those_who_declined_are_counted_apart(answered: AnsweredStudy) -> None:
    declined = answered.answer(n=1)[0]
    StudySession.objects.filter(pk=declined.pk).update(state="refused")
    page = logged_in(superuser()).get(address()).content.decode()
    assert "<strong>5</strong> started" in page
    assert "<strong>1</strong> declined consent" in page


def test_few_participants_and_unfinished_sessions_are_pointed_out() -> None:
    sessions = answered_study().answer(n=2)
    StudySession.objects.filter(pk=sessions[0].pk).update(state="running")
    refresh_results()
    page = logged_in(superuser()).get(address()).content.decode()
    assert "2 participants are too few for an interval that says much; 5 or more are wanted." in page
    assert "10 responses of 1 unfinished session are included." in page


def test_a_figure_comes_as_svg_png_and_data(answered: AnsweredStudy) -> None:
    client = logged_in(superuser())
    types = {"svg": "image/svg+xml", "png": "image/png", "csv": "text/csv; charset=utf-8"}
    for figure in StudyResults.objects.get().figures.all():
        for kind, content_type in types.items():
            answer = client.get(address(f"figures/{figure.name}.{kind}"), {"mode": "real"})
            assert (answer.status_code, answer["Content-Type"]) == (200, content_type)
            assert answer["Content-Disposition"] == f'attachment; filename="faces-real-{figure.name}.{kind}"'
    assert client.get(address("figures/nothing.svg")).status_code == 404


def test_the_html_report_stands_alone(answered: AnsweredStudy) -> None:
    answer = logged_in(superuser()).get(address("report.html"))
    assert answer["Content-Disposition"] == 'attachment; filename="faces-real-report.html"'
    text = answer.content.decode()
    assert re.findall(r'(?:href|src)="(?!data:|#)([^"]*)"', text) == []
    assert "<script" not in text
    assert "url(" not in re.sub(r'"url\(#[^)]*\)"', "", text)
    assert StudyResults.objects.get().report["methods"][:60] in text
    assert text.count("<tr data-condition=") == 2


def test_the_score_shown_is_the_score_of_the_exported_file(answered: AnsweredStudy, tmp_path: Path) -> None:
    client = logged_in(superuser())
    page = client.get(address()).content.decode()
    shown = dict(re.findall(r'<tr data-condition="([^"]*)">.*?data-score="([^"]*)"', page, re.DOTALL))
    export = client.get("/admin/export/faces/responses.csv")
    assert export["Content-Type"] == "text/csv; charset=utf-8"
    assert export["Content-Disposition"] == 'attachment; filename="faces-real-responses.csv"'
    path = tmp_path / "responses.csv"
    path.write_text(read(export), newline="")
    printed = io.StringIO()
    call_command("score_csv", str(path), "--json", stdout=printed)
    scored = {one["condition"]: one["score"] for one in json.loads(printed.getvalue())["conditions"]}
    assert {slug: float(score) for slug, score in shown.items()} == scored


def test_looking_changes_neither_study_nor_sessions_nor_answers() -> None:
    study = opened_study(n=2)
    running()
    before = (counts(), Study.objects.values().get(), list(study.conditions.values()))
    client = logged_in(superuser())
    for page in PAGES:
        client.get(address(page))
        client.head(address(page))
    assert (counts(), Study.objects.values().get(), list(study.conditions.values())) == before


@pytest.mark.django_db(transaction=True)
def test_many_may_look_at_once() -> None:
    answered_study().answer(n=5)
    ada = superuser()
    together = threading.Barrier(4)

    def look(_: int) -> int:
        try:
            client = logged_in(ada)
            together.wait()
            return client.get(address()).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(look, range(4))) == [200] * 4
    assert not AlignmentScore.objects.exists()  # looking computes nothing
