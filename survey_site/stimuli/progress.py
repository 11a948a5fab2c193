"""How far the jobs are: one reading for the admin, its polling and the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from survey_site.stimuli.models import ChunkStatus, IRIJob


def job_progress(job_ids: Iterable[int]) -> list[dict[str, Any]]:
    """Per job: IRIs done of all, share done with running descents, error so far, seconds left, a text."""
    jobs = (
        IRIJob.objects.with_progress().filter(pk__in=list(job_ids)).prefetch_related("chunks").order_by("pk")
    )
    return [_progress(job) for job in jobs]


def _progress(job: Any) -> dict[str, Any]:
    running = [
        chunk.progress for chunk in job.chunks.all() if chunk.status == ChunkStatus.RUNNING and chunk.progress
    ]
    under_way = sum(progress["step"] / progress["steps"] for progress in running)
    size = job.n_running / len(running) if running else 0
    errors = [progress["relative_error"] for progress in running if progress["relative_error"] is not None]
    state: dict[str, Any] = {
        "job": job.pk,
        "total": job.n_iris,
        "done": job.n_done,
        "failed": job.n_failed,
        "done_share": (job.n_done + under_way * size) / max(job.n_iris, 1),
        "relative_error": max(errors) if errors else None,
        "seconds_left": max((progress["seconds_left"] for progress in running), default=None),
        "status": _status(job),
    }
    return {**state, "text": _text(state)}


def _status(job: Any) -> str:
    if job.cancelled_at is not None:
        return "cancelled"
    waiting = job.n_queued + job.n_running
    if waiting == 0:
        return {0: "finished", job.n_iris: "failed"}.get(job.n_failed, "partly finished")
    if job.paused:
        return "paused"
    return "running" if job.n_running else "queued"


def _text(state: dict[str, Any]) -> str:
    parts = [f"{state['done']} of {state['total']}", str(state["status"])]
    if state["failed"]:
        parts.append(f"{state['failed']} failed")
    if state["relative_error"] is not None:
        parts.append(f"error {state['relative_error']:.3f}")
    if state["seconds_left"] is not None:
        parts.append(f"{state['seconds_left']:.0f} s left")
    return " · ".join(parts)
