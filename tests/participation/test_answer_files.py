"""A file of answers: read in once and again, and refused when it was changed."""

import hashlib
import hmac
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from survey_site.participation.models import LogEntry, Response
from tests.builders import opened_study
from tests.participation.visitor import Visitor, event, response, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor() -> Visitor:
    opened_study(n=3, n_catch=0)
    return running()


def file_of(visitor: Visitor, *entries: Any, **changes: Any) -> dict[str, Any]:
    session, log = str(visitor.session.pk), json.dumps(entries)
    key = hashlib.sha256(visitor.token.encode()).hexdigest().encode()
    signature = hmac.new(key, f"{session}\n{log}".encode(), hashlib.sha256).hexdigest()
    return {"session_id": session, "log": log, "signature": signature, **changes}


def read_in(folder: Path, content: object, *options: str) -> str:
    path, out = folder / "answers.json", io.StringIO()
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    call_command("import_answers", str(path), *options, stdout=out)
    return out.getvalue()


def test_what_the_server_lacks_is_stored_once(visitor: Visitor, tmp_path: Path) -> None:
    shown = visitor.presentations()
    entries = [response(seq, one) for seq, one in enumerate(shown, 1)]
    visitor.log(entries[0])
    for _ in range(2):
        assert read_in(tmp_path, file_of(visitor, *entries)).startswith("3 entries of session ")
    assert (LogEntry.objects.count(), Response.objects.count()) == (3, 3)
    assert visitor.finish(3).json()["complete"] is True


def test_a_long_log_is_taken_in_parts(visitor: Visitor, tmp_path: Path) -> None:
    read_in(tmp_path, file_of(visitor, *[event(seq) for seq in range(1, 251)]))
    assert LogEntry.objects.count() == 250


def test_without_a_signature_it_is_taken_only_when_told_so(visitor: Visitor, tmp_path: Path) -> None:
    unsigned = file_of(visitor, event(1), signature=None)
    with pytest.raises(CommandError, match="the file is not signed"):
        read_in(tmp_path, unsigned)
    assert read_in(tmp_path, unsigned, "--unsigned").startswith("1 entries")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: {**file, "log": file["log"].replace("512", "511")}, "the signature does not fit"),
        (lambda file: {**file, "signature": "0" * 64}, "the signature does not fit"),
        (lambda file: {**file, "session_id": "0" * 32}, "there is no session 0000"),
        (lambda file: {**file, "session_id": 7}, "this is no file of answers"),
        (lambda file: {**file, "log": 7}, "this is no file of answers"),
        (lambda file: {"log": file["log"]}, "this is no file of answers"),
        (lambda file: "[1", "this is no file of answers"),
        (lambda file: [1], "this is no file of answers"),
    ],
)
def test_a_file_that_was_changed_is_refused(visitor: Visitor, tmp_path: Path, change: Any, said: str) -> None:
    whole = file_of(visitor, response(1, visitor.presentations()[0]))
    with pytest.raises(CommandError, match=said):
        read_in(tmp_path, change(whole))
    assert LogEntry.objects.count() == 0


def test_entries_that_do_not_fit_leave_nothing_behind(visitor: Visitor, tmp_path: Path) -> None:
    shown = visitor.presentations()[0]
    for bad in (response(101, shown, 7), {"seq": 0, "kind": "event", "payload": {}}, "words"):
        with pytest.raises(CommandError, match=r"answers\.json: "):
            read_in(tmp_path, file_of(visitor, *[event(seq) for seq in range(1, 101)], bad))
    assert LogEntry.objects.count() == 0


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_answers", str(tmp_path / "none.json"))
