"""What every line of the logs carries: the ids of the request, session, task and job that it belongs to.

LOG_FORMAT=json writes a JSON object a line, for machines that collect logs; LOG_FORMAT=line is for people.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from celery import signals
from django.core.signals import request_finished

_ids: ContextVar[dict[str, str] | None] = ContextVar("ids_of_log_lines", default=None)

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s%(ids)s"
JSON = "%(asctime)s %(levelname)s %(name)s %(message)s"


@contextmanager
def log_ids(**ids: object) -> Iterator[None]:
    """Log lines within carry these ids beside those of around it."""
    token = _ids.set({**(_ids.get() or {}), **{name: str(value) for name, value in ids.items()}})
    try:
        yield
    finally:
        _ids.reset(token)


@contextmanager
def nothing_known() -> Iterator[None]:
    """Log lines within carry no ids."""
    token = _ids.set(None)
    try:
        yield
    finally:
        _ids.reset(token)


def note_log_id(name: str, value: object) -> None:
    """Log lines from here to the end of the surrounding `log_ids` carry this id, too."""
    ids = _ids.get()
    if ids is not None:
        ids[name] = str(value)


def begin_request(request_id: str) -> None:
    """Log lines carry the request's id until it ends: Django speaks of refusals after that."""
    _ids.set({"request_id": request_id})


@request_finished.connect
def _forget_request(**_: Any) -> None:
    _ids.set(None)


class IdsFilter(logging.Filter):
    """Gives every record the ids: as attributes for JSON, and as `ids`, a text for lines."""

    def filter(self, record: logging.LogRecord) -> bool:
        ids = _ids.get() or {}
        for name, value in ids.items():
            setattr(record, name, value)
        record.ids = "".join(f" {name}={value}" for name, value in ids.items())
        return True


def logging_settings(form: str, level: str) -> dict[str, Any]:
    """Django's LOGGING: everything to standard error, as `form` (line or json)."""
    formatters: dict[str, Any] = {
        "line": {"format": LINE},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": JSON,
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
            "reserved_attrs": [*_reserved(), "ids", "request", "server_time", "status_code"],
        },
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"ids": {"()": "survey_site.logs.IdsFilter"}},
        "formatters": formatters,
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": form, "filters": ["ids"]}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {"httpx": {"level": "WARNING"}, "httpcore": {"level": "WARNING"}},
    }


def _reserved() -> list[str]:
    """What a record has of itself, and JSON need not repeat."""
    return [*logging.makeLogRecord({}).__dict__, "taskName"]


@signals.task_prerun.connect
def _name_task(task_id: str = "", task: Any = None, **_: Any) -> None:
    _ids.set({"task_id": task_id, "task": getattr(task, "name", "")})


@signals.task_postrun.connect
def _forget_task(**_: Any) -> None:
    _ids.set(None)
