"""Working on chunks: claimed under a lease, written to with the fencing token that the claim gave.

All times are the database's. Every write names the token, so that a worker that lost its lease
changes nothing of its successor's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from survey_site.stimuli.models import IRI, ChunkStatus, IRIChunk, IRIStatus, NullDistribution, Worker
from survey_site.stimuli.services.images import store_image


class LeaseLost(Exception):
    """The chunk belongs to somebody else now, or its job was cancelled."""


@dataclass(frozen=True)
class ChunkLease:
    """A claimed chunk, with the token that proves the claim."""

    chunk: IRIChunk
    token: int


@dataclass(frozen=True)
class FoundIRI:
    """What a worker found for one IRI: PNG bytes, measures on the decoded PNG, and provenance."""

    iri_id: Any
    image: bytes
    start_image: bytes
    target_resized: bytes
    size: int
    relative_error: float | None
    cosine: float | None
    target_label: str
    iri_label: str
    same_label: bool | None
    passed: bool
    passed_reason: str
    measures: dict[str, Any] = field(default_factory=dict)
    null: NullDistribution | None = None
    loss_trace: list[Any] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)


def announce_worker(*, name: str, **facts: Any) -> Worker:
    """Note that the worker lives, and facts: host, device, memory_bytes, queues, architectures, versions."""
    worker, _ = Worker.objects.update_or_create(name=name, defaults={**facts, "last_heartbeat": Now()})
    return worker


def note_alive(*, name: str) -> None:
    """The worker of this name was heard of just now."""
    Worker.objects.filter(name=name).update(last_heartbeat=Now())


@transaction.atomic
def claim_chunk(*, worker: Worker, queue: str) -> ChunkLease | None:
    """The best waiting chunk of the queue under a new lease, or None. Skips what others are claiming."""
    chunk = (
        IRIChunk.objects.claimable()
        .filter(job__queue=queue)
        .order_by("-job__priority", "pk")
        .select_for_update(skip_locked=True, of=("self",))
        .first()
    )
    if chunk is None:
        return None
    IRIChunk.objects.filter(pk=chunk.pk).update(
        status=ChunkStatus.RUNNING,
        owner=worker,
        lease_until=_lease_end(),
        fencing_token=F("fencing_token") + 1,
        attempts=F("attempts") + 1,
        started_at=Now(),
        progress={},
    )
    IRI.objects.filter(chunk=chunk, status=IRIStatus.QUEUED).update(status=IRIStatus.RUNNING)
    chunk = IRIChunk.objects.select_related("job__layer__network", "job__recipe").get(pk=chunk.pk)
    return ChunkLease(chunk=chunk, token=chunk.fencing_token)


def _lease_end() -> Any:
    return Now() + timedelta(seconds=settings.IRI_LEASE_SECONDS)


def heartbeat(*, lease: ChunkLease, progress: dict[str, Any] | None = None) -> None:
    """Renew the lease and note progress. Raises LeaseLost when it is somebody else's or cancelled."""
    changes: dict[str, Any] = {"lease_until": _lease_end()}
    if progress is not None:
        changes["progress"] = progress
    if not IRIChunk.objects.held(fencing_token=lease.token).filter(pk=lease.chunk.pk).update(**changes):
        raise LeaseLost(f"{lease.chunk} is no longer held under token {lease.token}")
    if lease.chunk.owner_id:
        Worker.objects.filter(pk=lease.chunk.owner_id).update(last_heartbeat=Now())


def _hold(lease: ChunkLease) -> None:
    """Lock the chunk's row for this transaction, or raise LeaseLost."""
    held = IRIChunk.objects.held(fencing_token=lease.token).filter(pk=lease.chunk.pk)
    if not held.select_for_update().exists():
        raise LeaseLost(f"{lease.chunk} is no longer held under token {lease.token}")


def record_iri(*, lease: ChunkLease, found: FoundIRI) -> None:
    """Store one IRI. Images go to storage before the row points at them; a lost lease writes nothing."""
    size = (found.size, found.size)
    images = {
        name: store_image(data, size=size)
        for name, data in [
            ("image", found.image),
            ("start_image", found.start_image),
            ("target_resized", found.target_resized),
        ]
    }
    with transaction.atomic():
        _hold(lease)
        IRI.objects.filter(pk=found.iri_id, chunk=lease.chunk).exclude(status=IRIStatus.DONE).update(
            status=IRIStatus.DONE,
            reason="",
            relative_error=found.relative_error,
            cosine=found.cosine,
            target_label=found.target_label,
            iri_label=found.iri_label,
            same_label=found.same_label,
            passed=found.passed,
            passed_reason=found.passed_reason,
            measures=found.measures,
            null=found.null,
            loss_trace=found.loss_trace,
            provenance=found.provenance,
            finished_at=Now(),
            **images,
        )


@transaction.atomic
def fail_iri(*, lease: ChunkLease, iri_id: Any, reason: str, loss_trace: list[Any]) -> None:
    """One IRI of the chunk can't be found, the others go on; a lost lease writes nothing."""
    _hold(lease)
    IRI.objects.filter(pk=iri_id, chunk=lease.chunk).exclude(status=IRIStatus.DONE).update(
        status=IRIStatus.FAILED, reason=reason, loss_trace=loss_trace, finished_at=Now()
    )


@transaction.atomic
def finish_chunk(*, lease: ChunkLease) -> None:
    """All of the chunk's IRIs are recorded, found or failed."""
    _hold(lease)
    IRIChunk.objects.filter(pk=lease.chunk.pk).update(
        status=ChunkStatus.FINISHED, finished_at=Now(), reason=""
    )


@transaction.atomic
def fail_chunk(*, lease: ChunkLease, reason: str, can_pass: bool) -> None:
    """End the attempt. What can pass by itself waits for another attempt; the rest fails with the reason."""
    _hold(lease)
    again = can_pass and lease.chunk.attempts < settings.IRI_MAX_ATTEMPTS
    status, iri_status = (
        (ChunkStatus.QUEUED, IRIStatus.QUEUED) if again else (ChunkStatus.FAILED, IRIStatus.FAILED)
    )
    IRIChunk.objects.filter(pk=lease.chunk.pk).update(
        status=status, reason=reason, finished_at=None if again else Now()
    )
    IRI.objects.filter(chunk=lease.chunk, status=IRIStatus.RUNNING).update(status=iri_status, reason=reason)


@transaction.atomic
def release_chunk(*, lease: ChunkLease) -> None:
    """Give the chunk back unharmed, the attempt uncounted: a worker that shuts down."""
    _hold(lease)
    IRIChunk.objects.filter(pk=lease.chunk.pk).update(status=ChunkStatus.QUEUED, attempts=F("attempts") - 1)
    IRI.objects.filter(chunk=lease.chunk, status=IRIStatus.RUNNING).update(status=IRIStatus.QUEUED)
