"""A site on servers of its own, which tests may stop and kill, with fake workers from the nursery."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2

from survey_site.stack.children import wait_until
from survey_site.stack.embedded import EmbeddedServers
from survey_site.stack.options import BASE_DIR
from survey_site.stack.ports import free_port
from survey_site.stack.processes import QUIET
from tests.faults.table import Outcome
from tests.lab import Lab
from tests.servers import StackServers

LEASE_SECONDS, SWEEP_SECONDS = 5, 1
SETTINGS = {
    "IRI_LEASE_SECONDS": str(LEASE_SECONDS),
    "IRI_SWEEP_SECONDS": str(SWEEP_SECONDS),
    "IRI_CHUNK_SIZE": "1",
    "IRI_BACKOFF_SECONDS": "1",
}
PATIENCE = 120.0
STORE_MEGABYTES = 256


class FaultySite(Lab):
    """A migrated site with a network and a ledger (scenes.prepare), its sweep, and a nursery of workers."""

    def __init__(self, var_dir: Path, *, own_disk: bool = True, **settings: str) -> None:
        self.embedded = EmbeddedServers(var_dir)
        connection = self.embedded.start()
        self.faults = var_dir / "faults"
        self.faults.mkdir()
        self.media = var_dir / "media"
        self.media.mkdir()
        # A small disk of its own that can be filled, where mounting one is allowed.
        self.has_own_disk = own_disk and _succeeds(
            "mount", "-t", "tmpfs", "-o", f"size={STORE_MEGABYTES}m", "none", self.media
        )
        servers = StackServers(
            "embedded", connection.database_url, connection.broker_url, var_dir, free_port()
        )
        more = SETTINGS | {"FAULTS_FOLDER": str(self.faults), "SECRET_KEY": "a key for tests"} | settings
        super().__init__(servers, **more)
        self.names = (f"fake-{number}" for number in count(1))
        self.workers: dict[str, int] = {}
        self.succeed("migrate", "--verbosity", "0")
        self.nursery = self._nursery()
        self.call("prepare")
        self.housekeeping = self.keep_house()

    def _nursery(self) -> subprocess.Popen[str]:
        with self.log("nursery").open("ab") as words:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.faults.nursery"],
                cwd=BASE_DIR,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                text=True,
            )

    def keep_house(self) -> subprocess.Popen[bytes]:
        return self.start(
            "housekeeping",
            *("-m", "celery", "-A", "survey_site", "worker", "-B", "-l", "INFO", "-Q", "housekeeping"),
            *("-P", "threads", "-c", "1", "-n", "housekeeping@%h", *QUIET),
            *("-s", str(self.servers.var_dir / "celerybeat-schedule")),
        )

    def close(self) -> None:
        if self.nursery.stdin:
            self.nursery.stdin.close()
        self.nursery.wait(30)
        for pid in self.workers.values():
            kill(pid, signal.SIGCONT)  # one that a test left paused could not end
        super().close()
        self.embedded.stop()
        if self.has_own_disk:
            assert _succeeds("umount", self.media)

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.nursery.stdin
        assert self.nursery.stdout
        self.nursery.stdin.write(json.dumps(request) + "\n")
        self.nursery.stdin.flush()
        answer = self.nursery.stdout.readline()
        assert answer, f"the nursery ended:\n{self.last_words('nursery')}"
        said: dict[str, Any] = json.loads(answer)
        assert "error" not in said, said
        return said

    def call(self, function: str, **arguments: Any) -> Any:
        """What a function of scenes gives."""
        return self.ask(call=function, arguments=arguments)["result"]

    def hire(self, number: int = 1, *, queues: str = "iri.cpu", **environment: str) -> list[str]:
        """So many more fake workers, ready when they have announced themselves."""
        hired = self.recruit(number, queues=queues, **environment)
        self.wait(
            lambda: set(hired) <= {name.split("@")[0] for name in self.announced()},
            PATIENCE,
            what=f"{hired} are ready",
            log=hired[-1],
        )
        return hired

    def recruit(self, number: int, *, queues: str = "iri.cpu", **environment: str) -> list[str]:
        """So many more fake workers, not waited for."""
        names = [next(self.names) for _ in range(number)]
        for name in names:
            self.workers[name] = self.ask(worker=name, queues=queues, environment=environment)["pid"]
        return names

    def announced(self) -> list[str]:
        return self.column("SELECT name FROM stimuli_worker")

    @property
    def alive(self) -> list[str]:
        return [name for name, pid in self.workers.items() if is_running(pid)]

    def kill(self, name: str) -> None:
        """As `kill -9` does."""
        kill(self.workers.pop(name), signal.SIGKILL)

    def dismiss(self, *names: str) -> None:
        """Kill the workers (all where none is named) and wait until they are gone."""
        pids = [self.workers.pop(name) for name in names or list(self.workers)]
        for pid in pids:
            kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not any(map(is_running, pids)), 30)

    def ask_for(self, fault: str, text: str = "") -> Path:
        """The request for a fault (see fake_worker), until it is unlinked."""
        path = self.faults / fault
        path.write_text(text)
        return path

    @contextmanager
    def full_store(self) -> Iterator[str]:
        """The image store takes nothing meanwhile; in words, how that was brought about."""
        if not self.has_own_disk:
            request = self.ask_for("store-is-full")
            yield "each write refused with ENOSPC"
            request.unlink()
            return
        filler = self.media / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield f"a full disk of {STORE_MEGABYTES} MB"
        filler.unlink()

    @contextmanager
    def absent_store(self) -> Iterator[None]:
        """An empty folder in its place, as of a disk that is not mounted: it takes what it is given."""
        away = self.media.with_name("media.away")
        if self.has_own_disk:
            away.mkdir()
            moves = [("mount", "--bind", self.media, away), ("umount", "-l", self.media)]
            returns = [("mount", "--bind", away, self.media), ("umount", "-l", away)]
        else:
            moves = [("mv", self.media, away), ("mkdir", self.media)]
            returns = [("rm", "-r", self.media), ("mv", away, self.media)]
        assert all(_succeeds(*words) for words in moves)
        try:
            yield
        finally:
            assert all(_succeeds(*words) for words in returns)
            if self.has_own_disk:
                away.rmdir()

    def job_status(self, job: int) -> str:
        return str(self.value("SELECT status FROM stimuli_irijob WHERE id = %s", job))

    def n_done(self, *jobs: int) -> int:
        return int(
            self.value(
                "SELECT count(*) FROM stimuli_iri WHERE status = 'done' AND job_id = ANY(%s)", list(jobs)
            )
        )

    def wait_for_work(self, job: int, *, beyond: int, seconds: float = PATIENCE) -> float:
        """Seconds until more than `beyond` IRIs of the job are done."""
        began = time.monotonic()
        self._wait_for(lambda: self.n_done(job) > beyond, seconds, f"job {job} goes on beyond {beyond}")
        return time.monotonic() - began

    def wait_for_end(self, *jobs: int, seconds: float = PATIENCE) -> None:
        """All of the jobs have ended, whichever way."""
        open_jobs = (
            "SELECT count(*) FROM stimuli_irijob WHERE status IN ('queued', 'running') AND id = ANY(%s)"
        )
        self._wait_for(lambda: self.value(open_jobs, list(jobs)) == 0, seconds, f"jobs {jobs} end")

    def wait_for_claim(self, job: int, *, but: str = "") -> str:
        """The worker that holds a chunk of the job (another than `but`)."""
        holders: list[str] = []

        def is_held() -> bool:
            holders[:] = self.column(
                "SELECT w.name FROM stimuli_irichunk c JOIN stimuli_worker w ON w.id = c.owner_id "
                "WHERE c.job_id = %s AND c.status = 'running' AND w.name NOT LIKE %s",
                job,
                f"{but}@%",
            )
            return bool(holders)

        self._wait_for(is_held, PATIENCE, f"a chunk of job {job} is claimed")
        return holders[0].split("@")[0]

    def lapse_until_another_claims(self, job: int, holder: str) -> None:
        """End the holder's lease, as often as its heartbeat renews it, until another worker has the chunk."""
        lapse = (
            "UPDATE stimuli_irichunk c SET lease_until = now() - interval '1 s' FROM stimuli_worker w "
            "WHERE w.id = c.owner_id AND c.job_id = %s AND c.status = 'running' AND w.name LIKE %s "
            "RETURNING c.id"
        )
        self._wait_for(
            lambda: not self.rows(lapse, job, f"{holder}@%"), PATIENCE, f"{holder} loses job {job}'s chunk"
        )
        self.wait_for_claim(job, but=holder)

    def _wait_for(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        self.wait(lambda: _despite_the_database(condition), seconds, what=what, log="housekeeping")

    def outcome(self, fault: str, seconds: float, *jobs: int, detail: str = "", missing: int = 0) -> Outcome:
        """Check that every IRI of the jobs is there once and whole, but for `missing` that were to fail."""
        lost = self.value(
            "SELECT count(*) FROM stimuli_irijob j JOIN stimuli_targetimage t USING (image_set_id) "
            "WHERE j.id = ANY(%s) AND NOT EXISTS (SELECT 1 FROM stimuli_iri i "
            "WHERE i.job_id = j.id AND i.target_id = t.id AND i.status = 'done')",
            list(jobs),
        )
        written_twice = self.value(
            "SELECT count(*) FROM (SELECT iri FROM ledger JOIN stimuli_iri i ON i.id = iri "
            "WHERE i.job_id = ANY(%s) GROUP BY iri HAVING count(*) > 1) twice",
            list(jobs),
        )
        ended_twice = self.value(
            "SELECT count(*) FROM (SELECT chunk_id FROM stimuli_statechange WHERE job_id = ANY(%s) "
            "AND chunk_id IS NOT NULL AND after IN ('finished', 'failed') "
            "GROUP BY chunk_id HAVING count(*) > 1) twice",
            list(jobs),
        )
        result = Outcome(fault, lost - missing, written_twice + ended_twice, seconds, detail)
        assert (result.lost, result.doubled) == (0, 0), result
        self._assert_sums(missing, *jobs)
        self.assert_hashes()
        return result

    def _assert_sums(self, missing: int, *jobs: int) -> None:
        """The jobs' counts add up, and nothing of them waits."""
        expected = "partly_finished" if missing else "finished"
        assert [self.job_status(job) for job in jobs] == [expected] * len(jobs)
        open_rows = (
            "SELECT status FROM stimuli_irichunk WHERE job_id = ANY(%s) "
            "UNION ALL SELECT status FROM stimuli_iri WHERE job_id = ANY(%s)"
        )
        assert not {"queued", "running"} & set(self.column(open_rows, list(jobs), list(jobs)))
        said = [self.call("progress", job=job) for job in jobs]
        asked = [
            self.value(
                "SELECT count(*) FROM stimuli_targetimage t JOIN stimuli_irijob j USING (image_set_id) "
                "WHERE j.id = %s",
                job,
            )
            for job in jobs
        ]
        assert [state["total"] for state in said] == asked
        assert [state["done"] + state["failed"] for state in said] == asked
        assert sum(state["failed"] for state in said) == missing

    def assert_hashes(self) -> None:
        """Every image row points at a file with the bytes that its hash is of."""
        for sha256, name in self.rows("SELECT sha256, file FROM stimuli_storedimage"):
            assert hashlib.sha256((self.media / name).read_bytes()).hexdigest() == sha256


def _succeeds(*words: str | Path) -> bool:
    return subprocess.run(list(map(str, words)), capture_output=True, check=False).returncode == 0


def _despite_the_database(condition: Callable[[], bool]) -> bool:
    """False while the database is away."""
    try:
        return condition()
    except psycopg2.Error:
        return False


def kill(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
