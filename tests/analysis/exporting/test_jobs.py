"""Exports in the background, and what becomes of them when workers, messages or files are lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import F
from django.db.models.functions import Now

from survey_site.access.models import AuditEvent, Role
from survey_site.access.roles import ExportLevel
from survey_site.analysis import tasks
from survey_site.analysis.exporting import heartbeat, jobs
from survey_site.analysis.exporting.heartbeat import LeaseLost
from survey_site.analysis.exporting.kinds import KINDS, kind_named
from survey_site.analysis.exporting.selection import Filters, Selection
from survey_site.analysis.models import Export, ExportState
from tests.analysis.answered_study import AnsweredStudy, answered_study
from tests.analysis.exporting.reading import exported
from tests.builders import logged_in, member

# The heartbeat has a connection of its own, which sees committed rows alone.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def answered() -> AnsweredStudy:
    study = answered_study()
    study.answer(n=3)
    return study


def asked(answered: AnsweredStudy, kind: str = "responses.csv", **filters: str) -> Export:
    selection = Selection(answered.study, Filters.read(filters))
    return jobs.request_export(selection=selection, kind=kind_named(kind), by=None)


def fresh(export: Export) -> Export:
    export.refresh_from_db()
    return export


def lapse(export: Export) -> None:
    """Its worker was not heard of for too long."""
    Export.objects.filter(pk=export.pk).update(lease_until=Now() - timedelta(seconds=1))


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sent: list[str] = []
    monkeypatch.setattr(jobs, "ring_for", lambda task, queue, times=1: sent.append(task))
    monkeypatch.setattr(jobs, "rings_under_way", lambda queue: len(sent))
    return sent


@pytest.mark.parametrize("kind", ["responses.csv", "wide.csv", "sessions.csv"])
def test_the_file_is_the_one_that_is_sent_at_once(answered: AnsweredStudy, kind: str) -> None:
    export = asked(answered, kind, exclusions="applied")
    tasks.write_exports()
    assert fresh(export).state == ExportState.DONE
    content = exported(kind, Selection(answered.study, Filters(exclusions="applied")))
    assert (export.file.read(), export.size) == (content, len(content))
    assert export.expires_at
    client = logged_in(member(Role.ANALYST, answered.study))
    sent = client.get(f"/admin/exports/{export.pk}/")
    assert b"".join(sent.streaming_content) == content  # type: ignore[attr-defined]
    assert sent["Content-Disposition"] == f'attachment; filename="faces-real-{kind}"'
    assert [event.action for event in AuditEvent.objects.order_by("pk")] == [
        "ask for an export",
        "download an export",
    ]


def test_several_are_written_one_after_another_and_each_once(answered: AnsweredStudy) -> None:
    exports = [asked(answered), asked(answered, "wide.csv")]
    assert jobs.write_exports() == 2
    assert [fresh(export).attempts for export in exports] == [1, 1]
    assert jobs.write_exports() == 0


def test_one_is_written_at_a_time(answered: AnsweredStudy) -> None:
    asked(answered), asked(answered)
    found: list[Export | None] = []

    def claim() -> None:
        try:
            found.append(jobs.claim_export())
        finally:
            connection.close()

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([export for export in found if export]) == 1


def test_a_killed_worker_costs_time_only(answered: AnsweredStudy, rings: list[str]) -> None:
    export = asked(answered)
    rings.clear()
    assert jobs.claim_export() is not None
    jobs.sweep_exports()
    assert (rings, jobs.claim_export()) == ([], None)
    lapse(export)
    jobs.sweep_exports()
    assert rings == [jobs.WRITE_EXPORTS]
    assert jobs.write_exports() == 1
    assert (fresh(export).state, export.attempts) == (ExportState.DONE, 2)


def test_a_lost_message_is_sent_again_and_never_piles_up(answered: AnsweredStudy, rings: list[str]) -> None:
    asked(answered)
    for _ in range(20):
        jobs.sweep_exports()
    assert len(rings) == jobs.MOST_RINGS


def test_what_loses_every_worker_is_given_up_with_the_reason(
    answered: AnsweredStudy, rings: list[str]
) -> None:
    export = asked(answered)
    for _ in range(3):
        assert jobs.claim_export() is not None
        lapse(export)
    assert jobs.claim_export() is None
    jobs.sweep_exports()
    assert fresh(export).state == ExportState.FAILED
    assert export.reason == "given up after 3 attempts: each worker stopped without a word"


def test_a_worker_that_was_thought_lost_stores_nothing(
    answered: AnsweredStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = asked(answered)
    slow = jobs.claim_export()
    assert slow is not None
    lapse(export)
    assert jobs.write_exports() == 1
    stored = fresh(export).file.name
    with pytest.raises(LeaseLost):
        jobs.write_export(slow)
    assert fresh(export).file.name == stored
    folder = export.file.storage.listdir(f"exports/{export.pk}")
    assert [export.file.storage.listdir(f"exports/{export.pk}/{name}")[1] for name in sorted(folder[0])] == [
        [],
        ["faces-real-responses.csv"],
    ]


def test_progress_is_seen_while_it_is_written(
    answered: AnsweredStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    seen: list[tuple[str, int, int]] = []
    beaten = threading.Event()
    beat = heartbeat.Heartbeat._beat

    def noted(self: heartbeat.Heartbeat) -> None:
        beat(self)
        seen.append(Export.objects.values_list("state", "done", "total").get())
        if seen[-1][1]:
            beaten.set()

    monkeypatch.setattr(heartbeat.Heartbeat, "_beat", noted)

    def stream(selection: Selection, told: Any) -> Iterator[bytes]:
        yield b"half"
        told(1, 2)
        assert beaten.wait(30)
        yield b"whole"

    monkeypatch.setitem(KINDS, "responses.csv", replaced(stream))
    export = asked(answered)
    jobs.write_exports()
    assert ("running", 1, 2) in seen
    assert fresh(export).file.read() == b"halfwhole"
    assert (export.done, export.total) == (2, 2)


def replaced(stream: Any) -> Any:
    return replace(KINDS["responses.csv"], stream=stream)


def test_what_cannot_be_written_says_why_and_is_not_tried_again(
    answered: AnsweredStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stream(selection: Selection, told: Any) -> Iterator[bytes]:
        yield b"begun"
        raise FileNotFoundError("images/ab.png is not there")

    monkeypatch.setitem(KINDS, "responses.csv", replaced(stream))
    export = asked(answered)
    assert jobs.write_exports() == 1
    assert (fresh(export).state, export.attempts, export.file.name) == (ExportState.FAILED, 1, "")
    assert export.reason == "FileNotFoundError: images/ab.png is not there"
    assert jobs.write_exports() == 0
    page = logged_in(member(Role.ANALYST, answered.study)).get(
        "/admin/export/faces/", headers={"X-Live": "1"}
    )
    assert "Failed: FileNotFoundError: images/ab.png is not there" in page.content.decode()


def test_a_database_that_is_away_costs_an_attempt(
    answered: AnsweredStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stream(selection: Selection, told: Any) -> Iterator[bytes]:
        raise OperationalError("server closed the connection unexpectedly")
        yield b""

    export = asked(answered)
    with monkeypatch.context() as patched:
        patched.setitem(KINDS, "responses.csv", replaced(stream))
        with pytest.raises(OperationalError):
            jobs.write_exports()
    lapse(export)
    assert jobs.write_exports() == 1
    assert (fresh(export).state, export.attempts) == (ExportState.DONE, 2)


def test_a_file_is_deleted_when_its_days_are_over(answered: AnsweredStudy, rings: list[str]) -> None:
    export = asked(answered)
    jobs.write_exports()
    name, storage = fresh(export).file.name, export.file.storage
    jobs.sweep_exports()
    assert storage.exists(str(name))
    Export.objects.update(expires_at=F("expires_at") - timedelta(days=8))
    jobs.sweep_exports()
    assert not storage.exists(str(name))
    assert (fresh(export).state, export.file.name) == (ExportState.EXPIRED, "")
    client = logged_in(member(Role.ANALYST, answered.study))
    assert client.get(f"/admin/exports/{export.pk}/").status_code == 404


def test_full_exports_are_written_with_recruiter_ids(answered: AnsweredStudy) -> None:
    selection = Selection(answered.study, level=ExportLevel.FULL)
    export = jobs.request_export(selection=selection, kind=kind_named("responses.csv"), by=None)
    jobs.write_exports()
    assert b"recruiter_id_hash" in fresh(export).file.read()
    analyst, owner = (logged_in(member(role, answered.study)) for role in (Role.ANALYST, Role.OWNER))
    assert analyst.get(f"/admin/exports/{export.pk}/").status_code == 403
    sent = owner.get(f"/admin/exports/{export.pk}/")
    assert sent["Content-Disposition"] == 'attachment; filename="faces-real-full-responses.csv"'
    assert b"recruiter_id_hash" in b"".join(sent.streaming_content)  # type: ignore[attr-defined]
