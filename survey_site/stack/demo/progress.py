"""How far the pairs are, read from the database, as a live table or as plain lines."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from survey_site.stimuli.models import IRI, ChunkStatus, IRIChunk, IRIJob

LINE_SECONDS = 5.0


@dataclass(frozen=True)
class PairProgress:
    """One job as it stands: IRIs done of all, share of the work done (0 to 1), median error so far."""

    pair: str
    n_done: int
    n_iris: int
    n_failed: int
    fraction: float
    relative_error: float | None
    seconds_left: float | None

    @property
    def is_finished(self) -> bool:
        return self.n_done == self.n_iris

    @property
    def state(self) -> str:
        """In words: what is left, or why nothing is."""
        if self.is_finished:
            return "finished"
        if self.n_failed:
            return f"{self.n_failed} failed"
        if self.seconds_left is None:
            return "starting" if self.fraction else "waiting"
        return f"{self.seconds_left:.0f} s left"

    @property
    def error(self) -> str:
        return "" if self.relative_error is None else f"{self.relative_error:.3f}"

    @property
    def line(self) -> str:
        error = f", relative error {self.error}" if self.error else ""
        return f"{self.pair}: {self.n_done} of {self.n_iris} IRIs{error}, {self.state}"


def progress_of(jobs: list[IRIJob]) -> list[PairProgress]:
    """In the order given, with three queries however many jobs there are."""
    ids = [job.pk for job in jobs]
    rows = {
        job.pk: job
        for job in IRIJob.objects.filter(pk__in=ids).with_progress().select_related("layer__network")
    }
    running = {
        chunk.job_id: chunk.progress
        for chunk in IRIChunk.objects.filter(job__in=ids, status=ChunkStatus.RUNNING)
    }
    errors: dict[int, list[float]] = {}
    for job_id, error in IRI.objects.done().filter(job__in=ids).values_list("job_id", "relative_error"):
        if error is not None:
            errors.setdefault(job_id, []).append(error)
    return [_one(rows[pk], running.get(pk), errors.get(pk, [])) for pk in ids]


def _one(job: IRIJob, running: dict | None, errors: list[float]) -> PairProgress:
    progress = running or {}
    n_iris, n_done = job.n_iris, job.n_done  # type: ignore[attr-defined]
    step_share = progress.get("step", 0) / progress["steps"] if progress.get("steps") else 0.0
    return PairProgress(
        pair=f"{job.layer.network.name} · {job.layer.name}",
        n_done=n_done,
        n_iris=n_iris,
        n_failed=job.n_failed,  # type: ignore[attr-defined]
        fraction=(n_done + step_share * job.n_running) / n_iris if n_iris else 0.0,  # type: ignore[attr-defined]
        relative_error=median(errors) if errors else progress.get("relative_error"),
        seconds_left=progress.get("seconds_left"),
    )


class ProgressDisplay:
    """A live table in a terminal; where output is no terminal, a line per pair whenever it changed."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live: Live | None = None
        self._lines: dict[str, str] = {}
        self._last_time = 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        if not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, auto_refresh=False, transient=False) as self._live:
            yield

    def update(self, pairs: list[PairProgress]) -> None:
        if self._live:
            self._live.update(_table(pairs), refresh=True)
            return
        settled = tuple((pair.n_done, pair.n_failed) for pair in pairs)
        if str(settled) != self._lines.get("") or time.monotonic() - self._last_time > LINE_SECONDS:
            self._lines[""] = str(settled)
            self._last_time = time.monotonic()
            self._print_changes(pairs)

    def _print_changes(self, pairs: list[PairProgress]) -> None:
        for pair in pairs:
            if self._lines.get(pair.pair) != pair.line:
                self._lines[pair.pair] = pair.line
                self.console.print(pair.line, highlight=False, soft_wrap=True)


def _table(pairs: list[PairProgress]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("network · layer", "", "IRIs", "relative error", ""):
        table.add_column(heading, justify="right" if heading in ("IRIs", "relative error") else "left")
    for pair in pairs:
        bar = ProgressBar(total=1.0, completed=pair.fraction, width=24)
        table.add_row(pair.pair, bar, f"{pair.n_done} / {pair.n_iris}", pair.error, pair.state)
    return table
