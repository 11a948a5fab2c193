"""The processes of the platform itself: how each is started, stopped, and known to be ready."""

import http.client
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import gethostname

from celery import Celery
from kombu.exceptions import OperationalError

from .children import Child
from .options import BASE_DIR, StackOptions
from .ports import LOOPBACK

PING_SECONDS = 1.0
# Torch's threads sleep while they wait for each other. Spinning, as they would otherwise, they take the very
# processor that the other one needs as soon as anything else runs: measured on two cores with two busy
# neighbours, 40 steps took 20 to 54 s spinning and 5 s sleeping.
WAIT_POLICY = "PASSIVE"
# Workers need not know of each other: the database says who holds what.
QUIET = ("--without-mingle", "--without-gossip", "--without-heartbeat")


@dataclass(frozen=True)
class Process:
    """One process that should always run: its child, and how one sees that it does its work."""

    child: Child
    is_ready: Callable[[], bool]

    @property
    def name(self) -> str:
        return self.child.name


def python_child(name: str, words: Sequence[str], options: StackOptions, **changes: object) -> Child:
    """A child that runs this Python with `words`, logging to a file of its own."""
    slug = name.replace(" ", "-")
    fields: dict[str, object] = {
        "name": name,
        "command": [sys.executable, *words],
        "log": options.log(slug),
        "pid_file": options.pid_file(slug),
        "folder": BASE_DIR,
        "environment": options.environment,
    }
    return Child(**(fields | changes))  # type: ignore[arg-type]


def web(options: StackOptions) -> Process:
    words = (
        *("-m", "gunicorn", "survey_site.wsgi", "-c", "python:survey_site.gunicorn_settings"),
        *("--bind", f"{LOOPBACK}:{options.port}", "--workers", "2"),
    )
    child = python_child("web", words, options, orphan_signal=signal.SIGTERM, stop_seconds=15.0)
    return Process(child, lambda: serves(options.port))


def iri_worker(options: StackOptions) -> Process:
    words = (
        *("-m", "celery", "-A", "survey_site", "worker", "-I", "workers.tasks", "-l", "INFO"),
        *("-P", "solo", "--prefetch-multiplier", "1", "-Q", "iri.cpu,iri.gpu", "-n", "iri@%h"),
        *QUIET,
    )
    # It has no children, and what it leaves unfinished is taken up again when its lease ends.
    child = python_child(
        *("iri worker", words, options),
        environment={"OMP_WAIT_POLICY": WAIT_POLICY} | options.environment,
        orphan_signal=signal.SIGKILL,
        stop_seconds=15.0,
    )
    return Process(child, lambda: answers("iri", options))


def housekeeping_worker(options: StackOptions) -> Process:
    words = (
        *("-m", "celery", "-A", "survey_site", "worker", "-B", "-l", "INFO", "-Q", "housekeeping"),
        *("-P", "threads", "-c", "2", "-n", "housekeeping@%h", *QUIET),
        *("-s", str(options.var_dir / "celerybeat-schedule")),
    )
    # Two threads: the queue is swept while results are computed.
    # Its beat is a process of its own, which only a worker that ends in order takes along.
    child = python_child("housekeeping worker", words, options, orphan_signal=signal.SIGTERM)
    return Process(child, lambda: answers("housekeeping", options))


def serves(port: int) -> bool:
    """Whether a web server that works answers on the port."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/admin/login/")
        return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def answers(node: str, options: StackOptions) -> bool:
    """Whether the worker of that name on this machine answers; one that computes does not."""
    with Celery(broker=options.broker_address, set_as_current=False) as app:
        try:
            answers = app.control.inspect(timeout=PING_SECONDS).ping() or {}
        except (OperationalError, OSError):
            return False
    return f"{node}@{gethostname()}" in answers
