"""The whole stack as a lab runs it: one command that starts, watches and ends everything."""

import http.server
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from survey_site.stack.children import wait_until
from survey_site.stack.errors import StackError
from survey_site.stack.options import BASE_DIR, StackOptions
from survey_site.stack.ports import free_port

START_SECONDS = 180.0


class RunningStack:
    """`python -m survey_site.stack up` with embedded servers in a folder of its own."""

    def __init__(self, var_dir: Path) -> None:
        self.var_dir = var_dir
        self.port = free_port()
        self.output = var_dir / "output"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "VAR_DIR": str(self.var_dir),
            "PORT": str(self.port),
            "DATABASE_URL": "",
            "CELERY_BROKER_URL": "",
        }

    def command(self, word: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "survey_site.stack", word],
            cwd=BASE_DIR,
            env=self.environment | changes,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "survey_site.stack", "up"],
                cwd=BASE_DIR,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self.says("IRISurvey runs at"), self.output.read_text()

    def says(self, text: str, seconds: float = START_SECONDS) -> bool:
        return wait_until(
            lambda: (
                text in self.output.read_text() or self.process is None or self.process.poll() is not None
            ),
            seconds,
        ) and (text in self.output.read_text())

    def serves(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/admin/login/", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def child(self, name: str) -> int:
        return int((self.var_dir / "run" / f"{name}.pid").read_text().split()[0])

    def processes(self) -> list[str]:
        """Commands of every living process that has to do with this folder, the supervisor included."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environment = (process / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if command and int(process.name) != os.getpid() and str(self.var_dir) in command + environment:
                found.append(command)
        return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    stack = RunningStack(tmp_path_factory.mktemp("stack"))
    try:
        stack.start()
        yield stack
    finally:
        stack.command("stop")


@pytest.mark.broker
def test_it_serves_once_it_says_so(stack: RunningStack) -> None:
    assert stack.serves()
    for name in ("PostgreSQL", "Broker", "web", "iri worker", "housekeeping worker"):
        assert stack.says(f"{name} ready")


@pytest.mark.broker
def test_a_second_one_on_the_same_folder_is_refused_by_name(stack: RunningStack) -> None:
    refused = stack.command("up")
    assert refused.returncode == 1
    assert stack.process
    assert f"a stack already runs on {stack.var_dir}: process {stack.process.pid}" in refused.stderr


@pytest.mark.broker
def test_status_tells(stack: RunningStack, tmp_path: Path) -> None:
    assert stack.command("status").returncode == 0
    assert stack.command("status", VAR_DIR=str(tmp_path)).returncode == 3


@pytest.mark.broker
def test_a_killed_process_is_named_and_started_again(stack: RunningStack) -> None:
    os.kill(stack.child("web"), signal.SIGKILL)
    assert stack.says("web ended unexpectedly (killed by SIGKILL)", 10)
    assert wait_until(stack.serves, 20)


@pytest.mark.broker
def test_killing_the_supervisor_leaves_nothing_running_and_stop_ends_the_next(stack: RunningStack) -> None:
    assert stack.process
    stack.process.send_signal(signal.SIGKILL)
    stack.process.wait()
    assert wait_until(lambda: not stack.processes(), 30), stack.processes()

    stack.start()
    began = time.monotonic()
    stopped = stack.command("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert time.monotonic() - began < 30
    assert stack.process.wait(10) == 0
    assert not stack.processes()
    assert "nothing runs on" in stack.command("stop").stdout


def test_a_port_in_use_is_named_with_its_holder(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path)
    with http.server.HTTPServer(("127.0.0.1", stack.port), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        refused = stack.command("up")
        server.shutdown()
    assert refused.returncode == 1
    assert f"port {stack.port} is in use by process {os.getpid()}" in refused.stderr
    assert f"PORT={stack.port + 1} make up" in refused.stderr


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:{port}/nothing"),
        ("CELERY_BROKER_URL", "redis://127.0.0.1:{port}/0"),
    ],
)
def test_an_outside_server_that_does_not_answer_is_named(tmp_path: Path, name: str, url: str) -> None:
    refused = RunningStack(tmp_path).command("up", **{name: url.format(port=free_port())})
    assert refused.returncode == 1
    assert f"the server named by {name} cannot be used" in refused.stderr


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_an_impossible_port_is_refused(port: str) -> None:
    with pytest.raises(StackError, match=f"PORT is '{port}'; it must be a number from 1 to 65535"):
        StackOptions.from_environment({"PORT": port})
