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
from django.test import Client

from survey_site.access.models import AuditEvent, Membership, Role
from survey_site.access.services import make_owner
from survey_site.analysis.models import AlignmentScore
from survey_site.studies.models import Study
from tests.analysis.answered_study import AnsweredStudy, answered_study
from tests.builders import logged_in, opened_study, researcher, superuser
from tests.participation.visitor import counts, running

pytestmark = pytest.mark.django_db

PAGES = ["", "figure.svg", "responses.csv", "conditions.csv"]


def address(page: str = "", slug: str = "faces") -> str:
    return f"/admin/results/{slug}/{page}"


def read(answer: object) -> str:
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]


@pytest.fixture
def answered() -> AnsweredStudy:
    study = answered_study()
    study.answer(n=5)
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
    assert [stranger.get(address(page)).status_code for page in PAGES] == [404] * 4
    assert not AuditEvent.objects.exists()


def test_whoever_holds_a_role_sees_it(answered: AnsweredStudy) -> None:
    bea = researcher()
    Membership.objects.create(user=bea, role=Role.ANALYST, content_object=answered.study)
    client = logged_in(bea)
    assert [client.get(address(page)).status_code for page in PAGES] == [200] * 4


def test_somebody_with_a_role_but_not_of_the_staff_is_asked_to_log_in(answered: AnsweredStudy) -> None:
    person = researcher()
    person.is_staff = False
    person.save()
    make_owner(user=person, of=answered.study)
    client = logged_in(person)
    assert [client.get(address(page)).status_code for page in PAGES] == [302] * 4


def test_an_unknown_study_or_mode_is_not_found_and_writing_is_not_allowed(answered: AnsweredStudy) -> None:
    client = logged_in(superuser())
    for page in PAGES:
        assert client.get(address(page, "houses")).status_code == 404
        assert client.post(address(page)).status_code == 405
        if page != "conditions.csv":  # it has no mode
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
    assert client.get(address("figure.svg")).status_code == 404


def test_real_and_pilot_are_shown_apart(answered: AnsweredStudy) -> None:
    answered.answer(n=2, mode="pilot", share=0)
    client = logged_in(superuser())
    pilot = client.get(address(), {"mode": "pilot"}).content.decode()
    assert re.findall(r'data-score="([^"]*)"', pilot) == ["0.0", "0.0"]
    assert "<strong>2</strong> finished" in pilot


def test_the_figure_is_an_svg_to_download(answered: AnsweredStudy) -> None:
    answer = logged_in(superuser()).get(address("figure.svg"), {"mode": "real"})
    assert answer["Content-Type"] == "image/svg+xml"
    assert answer["Content-Disposition"] == 'attachment; filename="faces-real.svg"'
    assert b"<svg" in answer.content


def test_the_score_shown_is_the_score_of_the_exported_file(answered: AnsweredStudy, tmp_path: Path) -> None:
    client = logged_in(superuser())
    page = client.get(address()).content.decode()
    shown = dict(re.findall(r'<tr data-condition="([^"]*)">.*?data-score="([^"]*)"', page, re.DOTALL))
    export = client.get(address("responses.csv"))
    assert export["Content-Type"] == "text/csv; charset=utf-8"
    assert export["Content-Disposition"] == 'attachment; filename="faces-real-responses.csv"'
    path = tmp_path / "responses.csv"
    path.write_text(read(export), newline="")
    printed = io.StringIO()
    call_command("score_csv", str(path), "--json", stdout=printed)
    scored = {one["condition"]: one["score"] for one in json.loads(printed.getvalue())["conditions"]}
    assert {slug: float(score) for slug, score in shown.items()} == scored


def test_an_export_is_written_into_the_audit_log(answered: AnsweredStudy) -> None:
    ada = superuser()
    client = logged_in(ada)
    read(client.get(address("responses.csv"), {"mode": "pilot"}))
    read(client.get(address("conditions.csv")))
    events = AuditEvent.objects.order_by("pk").values_list("user", "action", "subject", "detail")
    assert list(events) == [
        (ada.pk, "export responses", "Faces", {"mode": "pilot"}),
        (ada.pk, "export conditions", "Faces", {}),
    ]


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
    assert AlignmentScore.objects.count() == 2
