"""What the lines of the log carry."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from survey_site.logs import IdsFilter, log_ids, logging_settings, note_log_id, nothing_known
from tests.builders import opened_study
from tests.participation.visitor import running


@pytest.fixture(autouse=True)
def no_ids_of_others() -> Iterator[None]:
    """What ran in this thread before may have left a request's id behind."""
    with nothing_known():
        yield


@pytest.fixture
def written() -> Iterator[Any]:
    """A logger, and what its lines are as JSON."""
    settings = logging_settings("json", "INFO")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    config: Any = logging.config.DictConfigurator(settings)
    handler.setFormatter(config.configure_formatter(settings["formatters"]["json"]))
    handler.addFilter(IdsFilter())
    logger = logging.getLogger("a test of logs")
    logger.propagate = False
    logger.setLevel("INFO")
    logger.addHandler(handler)
    yield logger, lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)


def test_a_line_of_json_has_the_ids_around_it(written: Any) -> None:
    logger, lines = written
    with log_ids(request_id="r1"):
        with log_ids(job_id=7):
            note_log_id("session_id", "s1")
            logger.warning("odd %s", "\n{}")
        logger.info("after")
    logger.error("outside")
    first, second, third = lines()
    assert (first["message"], first["level"], first["logger"]) == ("odd \n{}", "WARNING", "a test of logs")
    assert (first["request_id"], first["job_id"], first["session_id"]) == ("r1", "7", "s1")
    assert second["request_id"] == "r1"
    assert "job_id" not in second
    assert "request_id" not in third


def test_an_exception_is_one_line_with_its_traceback(written: Any) -> None:
    logger, lines = written
    try:
        raise ValueError("no")
    except ValueError:
        logger.exception("failed")
    (line,) = lines()
    assert "ValueError: no" in line["exc_info"]


def test_an_id_outside_of_everything_is_not_kept() -> None:
    note_log_id("session_id", "s1")
    record = logging.makeLogRecord({})
    assert IdsFilter().filter(record)
    assert record.__dict__["ids"] == ""


@pytest.mark.parametrize("given", ["", "short", "a" * 65, "with space in", "new\tline-0000"])
def test_a_request_gets_an_id_and_keeps_a_sane_one(given: str) -> None:
    made = Client().get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"]
    assert len(made) == 32
    kept = Client().get("/healthz", headers={"X-Request-ID": "proxy-1234"})["X-Request-ID"]
    assert kept == "proxy-1234"


@pytest.mark.django_db
def test_what_django_says_of_a_refused_request_names_the_session(caplog: pytest.LogCaptureFixture) -> None:
    opened_study(n=2)
    visitor = running()
    caplog.handler.addFilter(IdsFilter())
    with caplog.at_level("WARNING"):
        visitor.call("POST", "/api/sessions/me/finish/", {"last_seq": "x"}, **{"X-Request-ID": "proxy-1234"})
    record = next(one for one in caplog.records if "finish" in one.getMessage())
    assert record.__dict__["request_id"] == "proxy-1234"
    assert record.__dict__["session_id"] == str(visitor.session.pk)
