"""Child processes that never outlive their parent.

Three nets, since any one can have a hole: the kernel signals a child when its parent dies (Linux); every
child leads a process group of its own, which is signalled whole; and a pid file per child lets the next start
find and end what an earlier one left behind.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from .connection import write_private
from .errors import StackError

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.05


@dataclass
class Child:
    """One process: how it is started, how it is asked to end, and where its words go.

    `stop_signal` asks it to end, and after `stop_seconds` its group is killed. `orphan_signal` is what the
    kernel sends it if this process dies first.
    """

    name: str
    command: Sequence[str]
    log: Path | None  # None: the terminal
    pid_file: Path
    folder: Path | None = None
    environment: Mapping[str, str] | None = None
    stdin: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    stop_seconds: float = 10.0
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        with self._output() as output:
            self.process = subprocess.Popen(  # noqa: S603 (the command is ours)
                self.command,
                stdin=subprocess.PIPE if self.stdin else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
                preexec_fn=_die_with_parent(self.orphan_signal),
            )
        write_private(self.pid_file, f"{self.process.pid} {_started(self.process.pid)}\n")
        if self.stdin and self.process.stdin:
            self.process.stdin.write(self.stdin.encode())
            self.process.stdin.close()

    def _output(self) -> AbstractContextManager[BinaryIO | None]:
        if self.log is None:
            return nullcontext()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        return self.log.open("ab")

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def exit_reason(self) -> str:
        """Why it ended, in words; empty while it runs."""
        code = self.process.poll() if self.process else None
        if code is None:
            return ""
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def failure(self) -> str:
        """Why it ended, if it ended otherwise than well."""
        return "" if self.process and self.process.poll() == 0 else self.exit_reason()

    def ask_to_stop(self) -> None:
        if self.process and self.is_running():
            self.process.send_signal(self.stop_signal)

    def stop(self, seconds: float | None = None) -> None:
        """Ask, wait, and then make sure: nothing of its process group is left afterwards."""
        if self.process is None:
            return
        self.ask_to_stop()
        try:
            self.process.wait(self.stop_seconds if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            _signal_group(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.end_group()

    def end_group(self) -> None:
        """Kill what the ended process left in its group, and forget its pid."""
        if self.process:
            _signal_group(self.process.pid, signal.SIGKILL)
        self.pid_file.unlink(missing_ok=True)

    def last_words(self, lines: int = 12) -> str:
        return tail(self.log, lines) if self.log else ""


def end_stale(pid_file: Path, stop_signal: signal.Signals, seconds: float = 15.0) -> bool:
    """End the process group that an earlier run left behind; True if there was one.

    The file also holds when its process started, so that a number reused by a stranger is left alone.
    """
    try:
        pid_text, started = pid_file.read_text().split(maxsplit=1)
        pid = int(pid_text)
    except (FileNotFoundError, ValueError):
        pid_file.unlink(missing_ok=True)
        return False
    found = _started(pid) == started.strip() != ""
    if found:
        _signal_group(pid, stop_signal)
        if not wait_until(lambda: _started(pid) != started.strip(), seconds):
            _signal_group(pid, signal.SIGKILL)
            wait_until(lambda: _started(pid) != started.strip(), seconds)
    pid_file.unlink(missing_ok=True)
    return found


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until `condition` holds; False if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def wait_ready(child: Child, is_ready: Callable[[], bool], seconds: float) -> None:
    """Wait until `is_ready`; StackError with the log's last lines if the child ends first or takes too
    long.
    """
    wait_until(lambda: is_ready() or not child.is_running(), seconds)
    if not child.is_running():
        raise StackError(
            f"{child.name} ended at start ({child.exit_reason()}); {child.log}:\n{child.last_words()}"
        )
    if not is_ready():
        raise StackError(
            f"{child.name} is not ready after {seconds:.0f} s; {child.log}:\n{child.last_words()}"
        )


def tail(path: Path, lines: int) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _signal_group(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return


def _started(pid: int) -> str:
    """When a process started, in whatever unit the system tells; empty if it runs no more (a zombie does
    not).
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    answer = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return " ".join(answer.stdout.split())


def _die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """What a new child runs before its program: ask the kernel for `number` when the parent dies (Linux
    only).
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask_kernel
