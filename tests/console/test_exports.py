"""The export page, the files that it sends, and who may take what."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from survey_site.access.models import AuditEvent, Role
from survey_site.access.roles import ExportLevel
from survey_site.analysis.exporting.kinds import KINDS
from survey_site.analysis.exporting.selection import Filters, Selection
from survey_site.analysis.models import Export, ExportState
from survey_site.participation.models import StudySession
from tests.analysis.answered_study import AnsweredStudy, answered_study
from tests.analysis.exporting.awkward import make_awkward
from tests.analysis.exporting.reading import exported, table
from tests.builders import draft_study, logged_in, member, researcher, superuser

pytestmark = pytest.mark.django_db

PAGE = "/admin/export/faces/"
FORM = {"kind": "responses.csv", "mode": "real", "version": "", "exclusions": "marked", "level": "1"}
TABLES = [name for name in KINDS if name.endswith(".csv")]


@pytest.fixture
def answered() -> AnsweredStudy:
    study = answered_study()
    study.answer(n=4)
    make_awkward(study)
    return study


def read(answer: Any) -> bytes:
    assert answer.status_code == 200, answer
    return b"".join(answer.streaming_content)


def taker(role: Role, answered: AnsweredStudy) -> Client:
    return logged_in(member(role, answered.study))


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_sent_as_it_is_made(answered: AnsweredStudy, name: str) -> None:
    answer = taker(Role.ANALYST, answered).get(f"{PAGE}{name}")
    mode = "real-" if KINDS[name].of_answers else ""
    assert answer["Content-Disposition"] == f'attachment; filename="faces-{mode}{name}"'
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert read(answer) == exported(name, Selection(answered.study))


@pytest.mark.parametrize("name", KINDS)
def test_a_study_that_never_opened_has_empty_files(name: str) -> None:
    study = draft_study(n=2)
    answer = logged_in(superuser()).get(f"/admin/export/{study.slug}/{name}")
    content = read(answer)
    assert content
    if name.endswith(".csv"):
        assert len(table(content)) == (1 if name == "conditions.csv" else 0)


def test_parquet_is_sent_too(answered: AnsweredStudy) -> None:
    answer = taker(Role.ANALYST, answered).get(f"{PAGE}responses.parquet")
    assert pq.read_table(pa.BufferReader(read(answer))).num_rows == 44


def test_filters_of_the_query_choose_the_rows(answered: AnsweredStudy) -> None:
    client = taker(Role.ANALYST, answered)
    given = {"exclusions": "applied", "since": "2020-01-01", "version": "1"}
    answer = client.get(f"{PAGE}responses.csv", given)
    assert 'filename="faces-real-v1-responses.csv"' in answer["Content-Disposition"]
    rows = table(read(answer))
    assert rows == table(exported("responses.csv", Selection(answered.study, Filters.read(given))))
    assert len(rows) == 22
    assert {row["excluded_by"] for row in rows} == {""}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "test"}, "mode is 'test'; allowed: real, pilot"),
        ({"version": "9"}, "study 'faces' has no version 9; versions: 1"),
        ({"level": "everything"}, "level is 'everything'; allowed: de-identified, full"),
        (
            {"exclusion": "applied"},
            "there is no filter 'exclusion'; allowed: mode, version, exclusions, since, until, level",
        ),
        ({"until": "9999-12-31"}, "until is '9999-12-31'; allowed: a day, such as 2026-01-31"),
        ({"until": "soon"}, "until is 'soon'; allowed: a day, such as 2026-01-31"),
    ],
)
def test_a_query_that_means_nothing_is_refused_with_the_reason(
    answered: AnsweredStudy, given: dict[str, str], message: str
) -> None:
    answer = taker(Role.OWNER, answered).get(f"{PAGE}responses.csv", given)
    assert (answer.status_code, answer.content.decode()) == (400, f"{message}\n")
    assert not AuditEvent.objects.exists()


def test_owners_alone_take_the_recruiters_ids_and_others_read_why_not(answered: AnsweredStudy) -> None:
    full = {"level": "full"}
    answer = taker(Role.OWNER, answered).get(f"{PAGE}responses.csv", full)
    assert 'filename="faces-real-full-responses.csv"' in answer["Content-Disposition"]
    assert b"submission_id" in read(answer)
    for role in (Role.ANALYST, Role.EDITOR):
        refused = taker(role, answered).get(f"{PAGE}responses.csv", full)
        assert refused.status_code == 403
        assert "full export of Faces is for its owners; what you may take is de-identified" in (
            refused.content.decode()
        )
        posted = logged_in(member(role, answered.study, name=f"{role} 2")).post(PAGE, {**FORM, "level": "2"})
        assert posted.status_code == 403
    viewer = taker(Role.VIEWER, answered)
    for address in (PAGE, f"{PAGE}responses.csv"):
        assert viewer.get(address).status_code == 403
        assert "This takes the role analyst on Faces; yours is viewer" in viewer.get(address).content.decode()
    assert logged_in(researcher()).get(PAGE).status_code == 404
    assert [event.action for event in AuditEvent.objects.all()] == ["export"]
    assert not Export.objects.exists()


def test_the_page_offers_each_file_and_only_what_one_may_take(answered: AnsweredStudy) -> None:
    for role, levels in ((Role.ANALYST, 1), (Role.OWNER, 2)):
        page = taker(role, answered).get(PAGE).content.decode()
        assert all(f'value="{name}"' in page for name in KINDS)
        assert page.count('name="level"') == levels
    owner_page = logged_in(superuser()).get("/admin/results/faces/").content.decode()
    assert f'href="{PAGE}?mode=real"' in owner_page
    viewer_page = taker(Role.VIEWER, answered).get("/admin/results/faces/").content.decode()
    assert PAGE not in viewer_page


def test_a_small_file_is_sent_at_once_with_what_was_chosen(answered: AnsweredStudy) -> None:
    client = taker(Role.OWNER, answered)
    sent = client.post(PAGE, {**FORM, "kind": "wide.csv", "exclusions": "applied", "level": "2"})
    assert (sent.status_code, sent["Location"]) == (
        302,
        f"{PAGE}wide.csv?mode=real&exclusions=applied&level=full",
    )
    assert len(table(read(client.get(sent["Location"])))) == 2
    [event] = AuditEvent.objects.all()
    assert (event.action, event.subject) == ("export", "Faces")
    assert event.detail == {"format": "wide.csv", "level": "full", "mode": "real", "exclusions": "applied"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "everything.zip"}, "everything.zip is not one of the available choices"),
        ({"since": "2026-02-02", "until": "2026-02-01"}, "Since (2026-02-02) is after until (2026-02-01)"),
        ({"since": "31.1.2026"}, "Since is &#x27;31.1.2026&#x27;; allowed: a day, such as 2026-01-31"),
        ({"version": "9"}, "9 is not one of the available choices"),
    ],
)
def test_a_form_that_means_nothing_comes_back_with_the_reason(
    answered: AnsweredStudy, changes: dict[str, str], message: str
) -> None:
    answer = taker(Role.ANALYST, answered).post(PAGE, {**FORM, **changes})
    assert answer.status_code == 400
    assert message in answer.content.decode()
    assert not Export.objects.exists()


def test_a_large_file_is_written_in_the_background(answered: AnsweredStudy, settings: Any) -> None:
    settings.EXPORT_BACKGROUND_ROWS = 10
    client = taker(Role.ANALYST, answered)
    assert client.post(PAGE, FORM)["Location"].startswith(f"{PAGE}responses.csv")
    StudySession.objects.update(last_seq=3)
    assert client.post(PAGE, FORM)["Location"] == PAGE
    export = Export.objects.get()
    assert (export.state, export.kind, export.level) == (ExportState.WAITING, "responses.csv", 1)
    assert "Waiting for a worker" in client.get(PAGE, headers={"X-Live": "1"}).content.decode()
    assert [event.action for event in AuditEvent.objects.all()] == ["ask for an export"]
    assert client.post(PAGE, {**FORM, "kind": "images.zip"})["Location"].startswith(f"{PAGE}images.zip")


def test_a_full_file_in_the_background_is_shown_to_owners_alone(answered: AnsweredStudy) -> None:
    owner, analyst = taker(Role.OWNER, answered), taker(Role.ANALYST, answered)
    owner.post(PAGE, {**FORM, "level": "2", "in_background": "on"})
    [export] = Export.objects.all()
    assert str(export.pk) in owner.get(PAGE).content.decode()
    assert str(export.pk) not in analyst.get(PAGE).content.decode()
    address = f"/admin/exports/{export.pk}/"
    assert analyst.get(address).status_code == 403
    assert owner.get(address).status_code == 404
    assert logged_in(researcher()).get(address).status_code == 404
    assert Client().get(address).status_code == 302


def test_an_unknown_file_is_not_found_and_head_takes_nothing(answered: AnsweredStudy) -> None:
    client = taker(Role.ANALYST, answered)
    assert client.get(f"{PAGE}responses.xlsx").status_code == 404
    assert client.head(f"{PAGE}responses.csv").status_code == 200
    assert not AuditEvent.objects.exists()
    assert client.post(f"{PAGE}responses.csv").status_code == 405


def test_the_command_writes_the_same_file(answered: AnsweredStudy, tmp_path: Any) -> None:
    path, printed = tmp_path / "out.csv", io.StringIO()
    words = (
        "faces",
        "--format",
        "wide.csv",
        "--level",
        "full",
        "--exclusions",
        "applied",
        "--out",
        str(path),
    )
    call_command("export_study", *words, stdout=printed)
    selection = Selection(answered.study, Filters(exclusions="applied"), ExportLevel.FULL)
    assert path.read_bytes() == exported("wide.csv", selection)
    assert printed.getvalue().startswith(f"{path}: ")
    assert [one.name for one in tmp_path.iterdir()] == ["out.csv"]
    [event] = AuditEvent.objects.all()
    assert (event.user, event.action, event.detail["level"]) == (None, "export", "full")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["houses"], "no study has the slug 'houses'; studies: faces"),
        (["faces", "--format", "xlsx"], "format is 'xlsx'; allowed: responses.csv, wide.csv"),
        (["faces", "--study-version", "4"], "study 'faces' has no version 4; versions: 1"),
        (["faces", "--since", "now"], "since is 'now'; allowed: a day, such as 2026-01-31"),
        (["faces", "--out", "/no/such/folder/file"], "/no/such/folder/file cannot be written: No such file"),
    ],
)
def test_the_command_refuses_with_the_reason(
    answered: AnsweredStudy, tmp_path: Any, words: list[str], message: str
) -> None:
    path = tmp_path / "out"
    with pytest.raises(CommandError) as refusal:
        call_command("export_study", "--out", str(path), *words)
    assert message in str(refusal.value)
    assert not path.exists()
