"""How far the jobs are: one reading for the admin, its polling, the API and the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import mean
from typing import Any

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from survey_site.stimuli.models import GIB, ChunkStatus, IRIChunk, IRIJob, JobStatus, Worker

MINUTE, HOUR = 60, 3600
PAUSED = "paused"
#: Of a lease: a worker that lives renews it far more often.
SILENT_SHARE = 0.35


def job_progress(job_ids: Iterable[int]) -> list[dict[str, Any]]:
    """Per job: IRIs done of all, share done with running searches, error so far, seconds left, a text."""
    jobs = list(IRIJob.objects.with_progress().filter(pk__in=list(job_ids)).order_by("pk"))
    chunks: dict[int, list[Any]] = defaultdict(list)
    open_chunks = IRIChunk.objects.open().filter(job__in=jobs).annotate(lease_left=F("lease_until") - Now())
    for chunk in open_chunks.only("job_id", "status", "progress"):
        chunks[chunk.job_id].append(chunk)
    able = _able_workers() if chunks else []
    return [_progress(job, chunks[job.pk], able) for job in jobs]


def _able_workers() -> list[tuple[list[str], int]]:
    """(queues, GiB of memory) of each live worker."""
    rows = Worker.objects.alive().values_list("queues", "memory_bytes")
    return [(queues, (memory or 0) // GIB) for queues, memory in rows]


def _progress(job: Any, chunks: list[Any], able: list[tuple[list[str], int]]) -> dict[str, Any]:
    held = [chunk for chunk in chunks if chunk.status == ChunkStatus.RUNNING]
    running = [chunk.progress for chunk in held]
    moving = [progress for progress in running if progress.get("steps")]
    under_way = sum(progress["step"] / progress["steps"] for progress in moving)
    size = job.n_running / len(running) if running else 0
    errors = [progress["relative_error"] for progress in moving if progress["relative_error"] is not None]
    state: dict[str, Any] = {
        "job": job.pk,
        "total": job.n_iris,
        "done": job.n_done,
        "failed": job.n_failed,
        "done_share": (job.n_done + under_way * size) / max(job.n_iris, 1),
        "relative_error": max(errors) if errors else None,
        "seconds_left": _seconds_left(moving, waiting=len(chunks) - len(running)),
        "status": _status(job),
        "waits_for": _waits_for(job, chunks, running, able) or _silence(held),
    }
    return {**state, "text": _text(state)}


def _seconds_left(running: list[dict[str, Any]], *, waiting: int) -> float | None:
    """The running chunks' own, and as many rounds of chunks as wait behind them; None while none runs."""
    if not running:
        return None
    left = max(progress["seconds_left"] for progress in running)
    whole = [
        progress["seconds_left"] / max(1 - progress["step"] / progress["steps"], 0.01) for progress in running
    ]
    return float(left + mean(whole) * waiting / len(running))


def _status(job: Any) -> str:
    """A value of JobStatus, or `paused`."""
    is_open = job.status in (JobStatus.QUEUED, JobStatus.RUNNING)
    return PAUSED if job.paused and is_open else str(job.status)


def _silence(held: list[Any]) -> str:
    """That every worker on the job fell silent, and how long its chunks are still kept for it."""
    left = [chunk.lease_left.total_seconds() for chunk in held]
    silent = settings.IRI_LEASE_SECONDS * SILENT_SHARE
    if not left or max(left) > settings.IRI_LEASE_SECONDS - silent:
        return ""
    return f"its worker is silent; another takes over in {max(max(left), 0):.0f} s"


def _waits_for(
    job: Any, chunks: list[IRIChunk], running: list[dict[str, Any]], able: list[tuple[list[str], int]]
) -> str:
    """What keeps an open job from going on, empty where nothing does."""
    for progress in running:
        if progress.get("waiting_for"):
            return str(progress["waiting_for"])
    if not chunks or running or job.paused:
        return ""
    if any(job.queue in queues and gib >= job.min_memory_gib for queues, gib in able):
        return ""
    memory = f" with {job.min_memory_gib} GiB of memory" if job.min_memory_gib else ""
    return f"no worker on {job.queue}{memory} is running"


def _text(state: dict[str, Any]) -> str:
    parts = [f"{state['done']} of {state['total']}", state["status"].replace("_", " ")]
    if state["failed"]:
        parts.append(f"{state['failed']} failed")
    if state["relative_error"] is not None:
        parts.append(f"error {state['relative_error']:.3f}")
    if state["seconds_left"] is not None:
        parts.append(f"{_spelled(state['seconds_left'])} left")
    if state["waits_for"]:
        parts.append(f"waits: {state['waits_for']}")
    return " · ".join(parts)


def _spelled(seconds: float) -> str:
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.1f} h"
