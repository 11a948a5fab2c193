"""A lab as the tests of the whole stack see it: its shell, its rows, and the processes that run for it."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2

from survey_site.stack.children import tail, wait_until
from survey_site.stack.options import BASE_DIR
from tests.servers import StackServers

# Generous: the machine may be busy with other things.
COMMAND_SECONDS = 180.0
STOP_SECONDS = 60.0
#: What `import_images` wants to know of a new set.
OWN_IMAGES = ("--licence", "CC0-1.0", "--source", "drawn for a test")


class Lab:
    """One site on servers of a test's own. What it starts, `close` ends."""

    def __init__(self, servers: StackServers, **settings: str) -> None:
        self.servers = servers
        self.environment = servers.environment | settings
        self.processes: list[subprocess.Popen[bytes]] = []

    def manage(self, *words: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        """`python manage.py WORDS`, whatever comes of it."""
        return subprocess.run(
            [sys.executable, "manage.py", *map(str, words)],
            cwd=BASE_DIR,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def succeed(self, *words: str | Path, **settings: str) -> str:
        """What `python manage.py WORDS` prints; it must succeed."""
        done = self.manage(*words, **settings)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run_module(self, module: str, *words: str) -> str:
        """What `python -m MODULE WORDS` prints; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=BASE_DIR,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{module} {words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def refuse(self, *words: str | Path, **settings: str) -> str:
        """What `python manage.py WORDS` complains; it must fail with a message, not with a traceback."""
        done = self.manage(*words, **settings)
        assert done.returncode != 0, f"{words}\n{done.stdout}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr

    def start(self, name: str, *words: str, **settings: str) -> subprocess.Popen[bytes]:
        """A process of this Python that logs to a file of its name."""
        with self.log(name).open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=BASE_DIR,
                env=self.environment | settings,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def log(self, name: str) -> Path:
        return self.servers.var_dir / f"{name}.output"

    def last_words(self, name: str, lines: int = 40) -> str:
        return tail(self.log(name), lines)

    def stop(self, *processes: subprocess.Popen[bytes]) -> None:
        """Ask them to end, and wait; whoever does not is killed."""
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def close(self) -> None:
        self.stop(*reversed(self.processes))

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What the database holds, read past the site's own code."""
        connection = psycopg2.connect(self.servers.database_url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def column(self, query: str, *parameters: object) -> list[Any]:
        return [row[0] for row in self.rows(query, *parameters)]

    def value(self, query: str, *parameters: object) -> Any:
        [(value,)] = self.rows(query, *parameters)
        return value

    def wait(self, condition: Callable[[], bool], seconds: float, *, what: str, log: str) -> None:
        """Wait until `condition` holds; else fail, saying what was awaited and what the log said last."""
        assert wait_until(condition, seconds), (
            f"{what}: not within {seconds:.0f} s; {log}:\n{self.last_words(log)}"
        )
