"""The live page: what it counts, whom it shows it to, and what a poll costs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from survey_site.access.roles import Role
from survey_site.analysis.exclusion_services import exclude_session
from survey_site.analysis.models import AlignmentScore
from survey_site.analysis.results import refresh_results
from survey_site.analysis.session_flags import refresh_flags
from survey_site.console.live_query import CHOICES
from survey_site.participation.models import Participant, Response, SessionState, StudySession
from survey_site.participation.services import payments
from survey_site.studies.models import Study, StudyStatus
from tests.analysis.answered_study import AnsweredStudy, answered_study
from tests.builders import logged_in, member, opened_study, researcher, superuser
from tests.participation.test_payments import finished
from tests.participation.visitor import running

pytestmark = pytest.mark.django_db

LIVE = "/admin/live/faces/"


@pytest.fixture
def answered() -> AnsweredStudy:
    study = answered_study()
    study.answer(n=5)
    refresh_results()
    refresh_flags()
    return study


def page(client: Client, address: str = LIVE, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def rows(text: str) -> list[str]:
    """Short ids of the sessions listed, in order."""
    return re.findall(r'participation/studysession/[^"]*">(\w{8})</a>', text)


def test_anonymous_and_strangers_see_nothing_and_every_role_does(answered: AnsweredStudy) -> None:
    assert Client().get(LIVE)["Location"] == f"/admin/login/?next={LIVE}"
    assert logged_in(researcher()).get(LIVE).status_code == 404
    for role in Role:
        assert logged_in(member(role, answered.study)).get(LIVE).status_code == 200
    client = logged_in(superuser())
    assert client.get("/admin/live/houses/").status_code == 404
    assert client.post(LIVE).status_code == 405


def test_sessions_are_counted_by_what_became_of_them(answered: AnsweredStudy) -> None:
    states = ["running", "dropped", "refused", "withdrawn", "screened_out"]
    for session, state in zip(answered.answer(n=5), states, strict=True):
        by = "practice" if state == "screened_out" else ""
        StudySession.objects.filter(pk=session.pk).update(state=state, screened_out_by=by, consented_at=Now())
    text = page(logged_in(superuser()))
    for said in (
        "<strong>9</strong> started",
        "<strong>1</strong> active",
        "<strong>5</strong> completed",
        "<strong>1</strong> dropped",
        "<strong>1</strong> screened out",
        "<strong>1</strong> refused consent",
        "<strong>1</strong> withdrew",
    ):
        assert said in text, said


def test_scores_so_far_stand_under_a_warning_until_the_study_is_closed(answered: AnsweredStudy) -> None:
    client = logged_in(superuser())
    text = page(client)
    score = AlignmentScore.objects.get(condition__slug="first")
    interval = score.interval()
    assert f'<td data-score="{score.estimate}">{score.estimate:.3f}</td>' in text
    assert f"{interval.low:.3f} – {interval.high:.3f}" in text
    assert text.index("Nothing may be concluded from these scores yet.") < text.index("data-score")
    assert "This study names no number of participants" in text
    Study.objects.update(status=StudyStatus.CLOSED)
    assert "Nothing may be concluded" not in page(client)


def test_the_warning_says_how_far_the_quota_is_and_names_the_preregistration() -> None:
    study = answered_study()
    settings = {"quota": 4, "preregistration_url": "https://osf.io/abcde", "exclusion_rules": []}
    study.version = type(study.version).objects.create(
        study=study.study, number=2, settings=settings, texts={}, sha256="2" * 64
    )
    study.trials = [study.add_trial("first", n_options=2, n_references=1)]
    study.answer(n=3)
    client = logged_in(superuser())
    text = page(client)
    assert "<strong>3 of 4</strong> finished" in text
    assert "Planned are 4 participants, and 3 have finished." in text
    assert text.count('href="https://osf.io/abcde"') == 2
    assert "version 2" in text
    study.answer(n=1)
    text = page(client)
    assert "The planned 4 participants have finished: close the study" in text
    assert "full: nobody more is taken" in text
    assert "of 4" not in page(client, mode="pilot")  # pilots fill no quota


@pytest.mark.parametrize("address", ["javascript:alert(1)", "ftp://x", 5, None, {"a": 1}])
def test_only_a_web_address_is_linked_as_preregistration(address: Any) -> None:
    study = answered_study()
    study.version = type(study.version).objects.create(
        study=study.study, number=2, settings={"preregistration_url": address}, texts={}, sha256="2" * 64
    )
    text = page(logged_in(superuser()))
    assert "no preregistration is named" in text
    assert "javascript:" not in text


def test_the_balance_is_shown_by_condition() -> None:
    opened_study("net", "other", n=3, n_catch=0)
    for _ in range(2):
        running()
    text = page(logged_in(superuser()))
    assert "Each main trial of version 1 was given out 2 times" in text
    assert text.count("<progress") == 2
    assert "<td>3</td><td>6</td><td>2</td>" in text


def test_a_study_that_never_opened_says_so() -> None:
    Study.objects.create(slug="faces", name="<b>Faces</b>")
    text = page(logged_in(superuser()))
    assert "This study has not been opened: nobody can take part yet." in text
    assert "No session yet." in text
    assert "<b>Faces" not in text


def test_a_poll_is_answered_by_not_modified_until_something_changes(answered: AnsweredStudy) -> None:
    client = logged_in(superuser())
    for part in ("figures", "table"):
        first = client.get(LIVE, headers={"X-Live": part})
        assert "<html" not in first.content.decode()
        again = {"X-Live": part, "If-None-Match": first["ETag"]}
        assert client.get(LIVE, headers=again).status_code == 304
        answered.answer(n=1)
        assert client.get(LIVE, headers=again).status_code == 200
        assert "X-Live" in first["Vary"]


def test_looking_writes_nothing(answered: AnsweredStudy) -> None:
    client = logged_in(superuser())
    client.get(LIVE)
    with CaptureQueriesContext(connection) as queries:
        client.get(LIVE, headers={"X-Live": "figures"})
        client.get(LIVE, headers={"X-Live": "table"})
    reading = ("SELECT", "WITH")
    asked = [one["sql"].lstrip().upper() for one in queries]
    assert [sql for sql in asked if not sql.startswith(reading)] == []


def test_the_table_asks_as_often_for_many_sessions_as_for_few(answered: AnsweredStudy) -> None:
    client = logged_in(superuser())
    client.get(LIVE)

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(LIVE)
        return len(queries)

    few = asked()
    answered.answer(n=20)
    refresh_flags()
    assert asked() == few


def test_links_lead_here_from_the_overview_the_study_and_the_results(answered: AnsweredStudy) -> None:
    client = logged_in(superuser())
    for address in (
        "/admin/",
        f"/admin/studies/study/{answered.study.pk}/change/",
        "/admin/results/faces/",
    ):
        assert f'href="{LIVE}' in page(client, address), address


def test_there_is_no_inline_script_of_ours(answered: AnsweredStudy) -> None:
    text = page(logged_in(superuser()))
    ours = text[text.index('<main class="console">') : text.index("</main>")]
    assert "<script" not in ours
    assert not re.search(r"\son\w+=|style=", ours)


# The table -----------------------------------------------------------------------------------------------


def test_flags_and_what_they_mean_are_shown(answered: AnsweredStudy) -> None:
    fast = answered.answer(n=1)[0]
    Response.objects.filter(presentation__session=fast).update(rt=90)
    refresh_flags()
    client = logged_in(superuser())
    text = page(client)
    assert 'title="6 of 6 answers faster than 200 ms (median 90 ms)"' in text
    assert "<strong>Too fast</strong>: more than 20 % of answers before 200 ms (a usual threshold" in text
    assert rows(page(client, flag="too_fast")) == [str(fast)]
    assert rows(page(client, flag="any")).count(str(fast)) == 1
    assert str(fast) not in rows(page(client, flag="none"))
    answered.new_version('[{"rule": "too_fast", "minimum_ms": 150}]')
    assert "before 150 ms (the study&#x27;s own rule" in page(client).replace("study's", "study&#x27;s")


def test_it_is_searched_by_the_beginning_of_an_id(answered: AnsweredStudy) -> None:
    session = StudySession.objects.all()[2]
    client = logged_in(member(Role.VIEWER, answered.study))
    assert rows(page(client, q=str(session.pk)[:13])) == [str(session)]
    assert rows(page(client, q=f" {str(session.participant_id).upper()} ")) == [str(session)]
    for odd in ("zzz", "%", "' OR 1=1 --", "\0", "<script>alert(1)</script>"):
        text = page(client, q=odd)
        assert "<script>alert" not in text
        assert rows(text) == [] or odd == "\0"
    assert "No session is like that." in page(client, q="zzz")


def test_only_owners_find_somebody_by_the_recruiters_id() -> None:
    study = opened_study(n=2, n_catch=0, recruiter="prolific")
    person = {"PROLIFIC_PID": "anna-the-first", "STUDY_ID": "t", "SESSION_ID": "submission-7"}
    session = finished(recruitment=person)
    finished(recruitment={**person, "PROLIFIC_PID": "ben", "SESSION_ID": "submission-8"})
    owner = logged_in(member(Role.OWNER, study))
    editor = logged_in(member(Role.EDITOR, study))
    for text in ("anna-the-first", "submission-7"):
        assert rows(page(owner, q=text)) == [str(session)]
        assert rows(page(editor, q=text)) == []
    for client in (owner, editor):
        listed = page(client)
        assert "submission-7" not in listed
        assert "anna" not in listed


def test_it_is_sorted_both_ways_with_what_is_missing_last(answered: AnsweredStudy) -> None:
    sessions = list(StudySession.objects.order_by("created_at"))
    for place, session in enumerate(sessions[:4]):
        Response.objects.filter(presentation__session=session).update(rt=500 + 10 * place)
        StudySession.objects.filter(pk=session.pk).update(last_seen_at=Now())
    sessions[4].presentations.all().delete()
    StudySession.objects.filter(pk=sessions[4].pk).update(last_seen_at=Now())
    refresh_flags()
    client, names = logged_in(superuser()), [str(session) for session in sessions]
    assert rows(page(client, sort="rt")) == names
    assert rows(page(client, sort="-rt")) == [*names[3::-1], names[4]]
    assert rows(page(client)) == names[::-1]
    text = page(client, sort="-rt")
    assert 'aria-sort="descending"' in text
    assert 'href="?sort=rt"' in text


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("mode", "preview", "real, pilot"),
        ("sort", "token_hash", "started, -started"),
        ("state", "odd", "created, consented"),
        ("flag", "odd", "any, none, too_fast"),
        ("pay", "odd", "undecided, approved, rejected, paid"),
        ("excluded", "maybe", "yes, no"),
        ("per", "100000", "50, 200, 500"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(
    answered: AnsweredStudy, settings: Any, name: str, value: str, allowed: str
) -> None:
    settings.DEBUG = True
    answer = logged_in(superuser()).get(LIVE, {name: value})
    assert answer.status_code == 404
    assert f"{name} is &#x27;{value}&#x27;; allowed: {allowed}" in answer.content.decode()


def test_every_column_and_filter_answers(answered: AnsweredStudy) -> None:
    client = logged_in(superuser())
    for name, values in CHOICES.items():
        for value in values:
            assert client.get(LIVE, {name: value}).status_code == 200, (name, value)


def test_it_comes_by_pages(answered: AnsweredStudy) -> None:
    for number in range(57):
        StudySession.objects.create(
            participant=Participant.objects.create(),
            study=answered.study,
            version=answered.version,
            state=SessionState.DROPPED,
            token_hash=f"more {number}",
            rng_seed=1,
        )
    client = logged_in(superuser())
    first = page(client)
    assert "1–50 of 62 sessions" in first
    assert 'href="?page=2"' in first
    second = page(client, page="2")
    assert "51–62 of 62 sessions" in second
    assert not set(rows(first)) & set(rows(second))
    assert rows(page(client, page="99")) == rows(second)
    assert rows(page(client, page="x")) == rows(first)


def test_pay_and_exclusions_stand_beside_the_session(answered: AnsweredStudy) -> None:
    first, second, *_ = StudySession.objects.all()
    payments.approve(session_id=first.pk)
    payments.reject(session_id=second.pk, reason="nothing <b>fits</b>")
    exclude_session(first, reason="a colleague")
    client = logged_in(superuser())
    text = page(client)
    assert 'title="nothing &lt;b&gt;fits&lt;/b&gt;"' in text
    assert 'title="a colleague"' in text
    assert rows(page(client, pay="approved")) == [str(first)]
    assert rows(page(client, pay="rejected")) == [str(second)]
    assert len(rows(page(client, pay="undecided"))) == 3
    assert rows(page(client, excluded="yes")) == [str(first)]


def test_previews_are_nowhere() -> None:
    study = answered_study()
    study.answer(n=1, mode="preview")
    assert rows(page(logged_in(superuser()))) == []
