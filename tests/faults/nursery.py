"""Starts fake workers in a moment: one process imports everything once, and every worker is a fork of it.

Reads one request a line as JSON and answers with one line:

    {"worker": "iri-1", "environment": {...}}      -> {"pid": 123}
    {"call": "queue", "arguments": {...}}          -> {"result": ...}, by a function of tests.faults.scenes

It ends with its input, and its workers end with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "survey_site.settings")
django.setup()

from survey_site.celery import app  # noqa: E402
from survey_site.stack.processes import QUIET  # noqa: E402
from tests import builders  # noqa: E402, F401 - imported once for all forks
from tests.faults import scenes  # noqa: E402
from workers import attempts, presence  # noqa: E402, F401

PR_SET_PDEATHSIG = 1


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # dead workers leave no zombies
    for line in sys.stdin:
        request = json.loads(line)
        answer = _start(request) if "worker" in request else _call(request)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _start(request: dict[str, Any]) -> dict[str, Any]:
    pid = os.fork()
    if pid:
        return {"pid": pid}
    _leave_home(Path(os.environ["VAR_DIR"]) / f"{request['worker']}.output")
    os.environ |= request.get("environment", {})
    _run_worker(request["worker"], request.get("queues", "iri.cpu"))
    os._exit(0)


def _leave_home(log: Path) -> None:
    """A session, a log and signals of its own; killed when the nursery is."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    words = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, number in ((nothing, 0), (words, 1), (words, 2)):
        os.dup2(source, number)


def _run_worker(name: str, queues: str) -> None:
    if hours := float(os.environ.get("CLOCK_OFF_BY_HOURS", "0")):
        import time_machine

        at = __import__("time").time() + 3600 * hours
        time_machine.travel(at, tick=True).start()
    app.worker_main(
        [
            *("worker", "-I", "tests.faults.fake_worker", "-l", "INFO", "-P", "solo"),
            *("--prefetch-multiplier", "1", "-Q", queues, "-n", f"{name}@%h", *QUIET),
        ]
    )


def _call(request: dict[str, Any]) -> dict[str, Any]:
    """In a fork, so that no connection is ever open here."""
    reading, writing = os.pipe()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as answer:
            answer.write(json.dumps(_result(request)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    return dict(json.loads(text)) if text else {"error": "it ended without an answer"}


def _result(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": getattr(scenes, request["call"])(**request["arguments"])}
    except Exception as error:  # said to whoever asked
        return {"error": repr(error)}


if __name__ == "__main__":
    main()
