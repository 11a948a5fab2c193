"""Runs the whole stack as children of one process, in order, and ends it in order."""

import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import psycopg2
import redis

from .broker import BrokerServer
from .children import Child, end_stale, wait_until
from .embedded import EmbeddedServers
from .errors import StackError
from .lock import StackLock
from .options import StackOptions
from .ports import holder, is_free
from .postgres import PostgresServer
from .processes import Process, housekeeping_worker, iri_worker, python_child, web

logger = logging.getLogger("survey_site.stack")

READY_SECONDS = 120.0
POLL_SECONDS = 0.3
LONGEST_BACK_OFF_SECONDS = 30.0
SETTLED_SECONDS = 60.0  # a process that ran this long starts its back-off anew


class StopRequested(BaseException):
    """Somebody pressed Ctrl-C or sent a signal. Not an Exception: nothing on the way may swallow it."""


@dataclass
class Watched:
    """A process that is started again when it ends by itself."""

    name: str
    start: Callable[[], None]
    child: Callable[[], Child | None]
    crashes: int = 0
    started: float = field(default_factory=time.monotonic)
    next_try: float = 0.0
    is_down: bool = False

    def look_after(self) -> None:
        now = time.monotonic()
        child = self.child()
        if not self.is_down and child and not child.is_running():
            self.note_crash(child, now)
        elif self.is_down and now >= self.next_try:
            self.restart(now)

    def note_crash(self, child: Child, now: float) -> None:
        child.end_group()
        self.crashes = 1 if now - self.started > SETTLED_SECONDS else self.crashes + 1
        pause = min(2.0 ** (self.crashes - 1), LONGEST_BACK_OFF_SECONDS)
        self.is_down, self.next_try = True, now + pause
        logger.error(
            "%s ended unexpectedly (%s); starting it again in %.0f s. Its log: %s",
            *(self.name, child.exit_reason(), pause, child.log),
        )

    def restart(self, now: float) -> None:
        self.started = now
        self.is_down = False
        try:
            self.start()
        except StackError as error:
            logger.error("%s", error)  # it is found dead, and tried again, at the next look
        else:
            logger.info("%s started again", self.name)


class Supervisor:
    """The stack on one data folder: `run` starts it, watches it, and returns when it was told to end."""

    def __init__(self, options: StackOptions) -> None:
        self.options = options
        self.lock = StackLock(options.var_dir)
        self.embedded = EmbeddedServers(
            options.var_dir, database=not options.database_url, broker=not options.broker_url
        )
        self.web = web(options)
        self.workers = [iri_worker(options), housekeeping_worker(options)]
        self.steps: list[Child] = []
        self.starting: list[Process] = []
        self.watched: list[Watched] = []
        self.is_stopping = False
        self.is_hurried = False

    def run(self, companion: Child | None = None) -> int:
        """Exit status: 0 when told to end, else 1. A `companion` runs beside the stack; if it fails, all
        ends.
        """
        self.lock.acquire()
        try:
            self._listen_to_signals()
            self._start(companion)
            return self._watch(companion)
        except StopRequested:
            return 0
        finally:
            self._stop(companion)
            self.lock.release()

    def _listen_to_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
            signal.signal(signal.SIGHUP, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.is_stopping:
            self.is_hurried = True
            return
        self.is_stopping = True
        raise StopRequested

    def _start(self, companion: Child | None) -> None:
        self._end_what_was_left()
        self._refuse_used_port()
        static_files = self._begin_step("collectstatic")
        self._start_servers()
        self._finish_step(self._begin_step("migrate"))
        if companion:
            companion.start()
        for worker in self.workers:
            self._start_process(worker)
        self._finish_step(static_files)
        self._start_process(self.web)
        self._wait_for_web()
        logger.info("IRISurvey runs at %s/admin/", self.options.public_url)
        logger.info("Logs are in %s. Ctrl-C ends everything.", self.options.log("web").parent)

    def _end_what_was_left(self) -> None:
        for pid_file in self.options.pid_file("any").parent.glob("*.pid"):
            if end_stale(pid_file, signal.SIGTERM, seconds=5.0):
                logger.warning("Ended %s, which an earlier run had left behind.", pid_file.stem)

    def _refuse_used_port(self) -> None:
        port = self.options.port
        if not is_free(port):
            raise StackError(
                f"port {port} is in use by {holder(port)}. "
                f"Stop that, or choose another: PORT={port + 1} make up"
            )

    def _start_servers(self) -> None:
        self.embedded.start()
        for server in self.embedded.wanted:
            self.watched.append(_watched_server(server))
            logger.info("%s ready on port %d", server.name, server.port)
        if self.options.database_url:
            _refuse_silent_database(self.options.database_url)
        if self.options.broker_url:
            _refuse_silent_broker(self.options.broker_url)

    def _begin_step(self, command: str) -> Child:
        """Start a management command that is to end by itself."""
        step = python_child(command, ["manage.py", command, "--noinput"], self.options)
        self.steps.append(step)
        step.start()
        return step

    def _finish_step(self, step: Child) -> None:
        """Wait for it; StackError with its last words if it failed."""
        wait_until(lambda: not step.is_running(), float("inf"))
        if reason := step.failure():
            raise StackError(f"{step.name} failed ({reason}); {step.log}:\n{step.last_words()}")
        step.end_group()
        logger.info("%s done", step.name)

    def _start_process(self, process: Process) -> None:
        process.child.start()
        self.starting.append(process)
        self.watched.append(Watched(process.name, process.child.start, lambda: process.child))

    def _wait_for_web(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while self.web in self.starting:
            self._greet_ready()
            if time.monotonic() > deadline:
                raise StackError(f"web is not ready after {READY_SECONDS:.0f} s; see {self.web.child.log}")
            time.sleep(POLL_SECONDS)

    def _greet_ready(self) -> None:
        """Say which of the starting processes are ready now; StackError if one ended instead."""
        for process in list(self.starting):
            child = process.child
            if not child.is_running():
                raise StackError(
                    f"{process.name} ended at start ({child.exit_reason()}); "
                    f"{child.log}:\n{child.last_words()}"
                )
            if process.is_ready():
                self.starting.remove(process)
                logger.info("%s ready", process.name)

    def _watch(self, companion: Child | None) -> int:
        # A worker that took up work at once answers only when it is done, so nobody waits for it for ever.
        patience_ends = time.monotonic() + READY_SECONDS
        while True:
            if self.starting and time.monotonic() < patience_ends:
                self._greet_ready()
            for watched in self.watched:
                watched.look_after()
            if companion and companion.failure():
                logger.error("%s failed (%s)", companion.name, companion.failure())
                return 1
            time.sleep(POLL_SECONDS)

    def _stop(self, companion: Child | None) -> None:
        """Workers first (they finish what they hold, for a while), then the web, the broker, PostgreSQL
        last.
        """
        self.is_stopping = True
        if self.watched:
            logger.info("Stopping; once more Ctrl-C ends it at once.")
        for step in self.steps:
            step.stop()
        if companion:
            companion.stop(seconds=3.0)
        self._stop_together([worker.child for worker in self.workers])
        self._stop_together([self.web.child])
        self.embedded.stop()
        if self.watched:
            logger.info("Stopped.")

    def _stop_together(self, children: list[Child]) -> None:
        for child in children:
            child.ask_to_stop()
        seconds = max(child.stop_seconds for child in children)
        wait_until(lambda: self.is_hurried or not any(child.is_running() for child in children), seconds)
        for child in children:
            child.stop(seconds=0.0)


def _watched_server(server: PostgresServer | BrokerServer) -> Watched:
    return Watched(server.name, server.start, lambda: server.child)


def _refuse_silent_database(url: str) -> None:
    try:
        psycopg2.connect(url, connect_timeout=10).close()
    except psycopg2.Error as error:
        raise StackError(f"the server named by DATABASE_URL cannot be used: {error}") from None


def _refuse_silent_broker(url: str) -> None:
    with redis.Redis.from_url(url, socket_connect_timeout=10) as client:
        try:
            client.ping()
        except redis.RedisError as error:
            raise StackError(f"the server named by CELERY_BROKER_URL cannot be used: {error}") from None


def stop_running(var_dir: Path, seconds: float = 90.0) -> int | None:
    """Ask the stack that runs on `var_dir` to end and wait for it; its process id, None if none runs."""
    lock = StackLock(var_dir)
    pid = lock.holder()
    if pid is None:
        return None
    os.kill(pid, signal.SIGTERM)
    if not wait_until(lambda: lock.holder() is None, seconds):
        raise StackError(
            f"process {pid} has not ended after {seconds:.0f} s; its logs are in {var_dir / 'log'}"
        )
    return pid
