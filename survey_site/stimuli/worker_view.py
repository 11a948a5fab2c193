"""Workers as the admin and the API show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from survey_site.stimuli.models import GIB, RATE_MINUTES, ChunkStatus, IRIChunk, Worker


def worker_states(workers: Iterable[Any]) -> list[dict[str, Any]]:
    """`workers` of Worker.objects.with_state()."""
    workers = list(workers)
    held = _held(workers)
    return [_worker_state(worker, held.get(worker.pk)) for worker in workers]


def _held(workers: Iterable[Worker]) -> dict[int | None, IRIChunk]:
    """By worker what each holds a lease over, the latest of several."""
    chunks = IRIChunk.objects.filter(owner__in=list(workers), status=ChunkStatus.RUNNING)
    latest = chunks.select_related("job__layer__network", "job__recipe").order_by("started_at")
    return {chunk.owner_id: chunk for chunk in latest}


def _worker_state(worker: Any, chunk: IRIChunk | None) -> dict[str, Any]:
    return {
        "name": worker.name,
        "host": worker.host,
        "device": worker.device,
        "memory_gib": None if worker.memory_bytes is None else round(worker.memory_bytes / GIB, 1),
        "queues": worker.queues,
        "networks": {source: len(names) for source, names in worker.architectures.items()},
        "is_alive": worker.is_alive,
        "trouble": worker.trouble,
        "chunk": _chunk_state(chunk),
        "images_per_minute": images_per_minute(worker),
        "last_heartbeat": worker.last_heartbeat,
        "versions": worker.versions,
    }


def current_chunk(worker: Worker) -> IRIChunk | None:
    """What it holds a live or lapsed lease over."""
    held = IRIChunk.objects.filter(owner=worker, status=ChunkStatus.RUNNING)
    return held.select_related("job__layer__network", "job__recipe").order_by("-started_at").first()


def images_per_minute(worker: Any) -> float:
    """IRIs found, over the last RATE_MINUTES."""
    return round(worker.n_recent / RATE_MINUTES, 1)


def _chunk_state(chunk: IRIChunk | None) -> dict[str, Any] | None:
    if chunk is None:
        return None
    return {
        "chunk": chunk.pk,
        "job": chunk.job_id,
        "pair": str(chunk.job.layer),
        "attempt": chunk.attempts,
        "started_at": chunk.started_at,
        "lease_until": chunk.lease_until,
        "progress": chunk.progress,
    }
