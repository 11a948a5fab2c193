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
from django.db.models.functions import Greatest, Now

from survey_site.stimuli.models import (
    IRI,
    ChunkStatus,
    IRIChunk,
    IRIJob,
    IRIStatus,
    JobStatus,
    NullDistribution,
    Worker,
)
from survey_site.stimuli.services.checkpoints import discard, discard_after_commit, write_checkpoint_file
from survey_site.stimuli.services.doorbell import ring
from survey_site.stimuli.services.images import store_image
from survey_site.stimuli.services.precedence import is_outranked
from survey_site.stimuli.services.states import move_chunks, move_job, settle_job

LONGEST_BACKOFF = timedelta(minutes=10)


class LeaseLost(Exception):
    """The chunk belongs to somebody else now, or its job was cancelled."""


@dataclass(frozen=True)
class ChunkLease:
    """A claimed chunk, with the token that proves the claim."""

    chunk: IRIChunk
    token: int

    @property
    def by(self) -> str:
        """Who holds it, for the history."""
        return self.chunk.owner.name if self.chunk.owner else ""


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


def end_former_leases(*, worker: Worker) -> int:
    """The worker has just started, so whatever its name held before it holds no more; how many chunks wait.

    Two processes of one name would take each other's chunks so: each needs a name of its own.
    """
    held = IRIChunk.objects.filter(owner=worker, status=ChunkStatus.RUNNING, lease_until__gte=Now())
    queues = [chunk.job.broker_queue for chunk in held.select_related("job")]
    IRIChunk.objects.filter(owner=worker, status=ChunkStatus.RUNNING).update(
        lease_until=Now() - timedelta(seconds=1)
    )
    for queue in queues:
        ring(queue)
    return len(queues)


def note_alive(*, name: str) -> None:
    """The worker of this name was heard of just now."""
    Worker.objects.filter(name=name).update(last_heartbeat=Now())


def note_trouble(*, worker: Worker, trouble: str) -> None:
    """Why the worker takes no work now; empty where it does. Written where it changed."""
    Worker.objects.filter(pk=worker.pk).exclude(trouble=trouble).update(trouble=trouble)


@transaction.atomic
def claim_chunk(*, worker: Worker, queue: str) -> ChunkLease | None:
    """The best waiting chunk of the queue that fits the worker's memory, under a new lease, or None.

    `queue`: the kind of device (models.Queue). Skips what others are claiming.
    """
    chunk = (
        IRIChunk.objects.claimable()
        .fitting(worker, queue)
        .order_by("-job__priority", "pk")
        .select_for_update(skip_locked=True, of=("self",))
        .first()
    )
    if chunk is None:
        return None
    taken_over = f", taken over from {_former(chunk, worker)}" if chunk.status == ChunkStatus.RUNNING else ""
    move_chunks(
        IRIChunk.objects.filter(pk=chunk.pk),
        ChunkStatus.RUNNING,
        reason=f"attempt {chunk.attempts + 1}{taken_over}",
        by=worker.name,
        owner=worker,
        lease_until=_lease_end(),
        fencing_token=F("fencing_token") + 1,
        attempts=F("attempts") + 1,
        fruitless=F("fruitless") + 1,
        not_before=None,
        started_at=Now(),
        progress={},
    )
    move_job(chunk.job_id, JobStatus.RUNNING, by=worker.name)
    IRI.objects.filter(chunk=chunk, status=IRIStatus.QUEUED).update(status=IRIStatus.RUNNING)
    chunk = IRIChunk.objects.select_related("owner", "job__layer__network", "job__recipe").get(pk=chunk.pk)
    return ChunkLease(chunk=chunk, token=chunk.fencing_token)


def _former(chunk: IRIChunk, worker: Worker) -> str:
    return "this worker's former process" if chunk.owner_id == worker.pk else str(chunk.owner)


def _lease_end() -> Any:
    return Now() + timedelta(seconds=settings.IRI_LEASE_SECONDS)


def heartbeat(*, lease: ChunkLease, progress: dict[str, Any] | None = None) -> str:
    """Renew the lease and note progress; why the chunk is to be given back, empty where work may go on.

    Raises LeaseLost when it is somebody else's or cancelled.
    """
    changes: dict[str, Any] = {"lease_until": _lease_end()}
    if progress is not None:
        changes["progress"] = progress
    if not _held(lease).update(**changes):
        raise _lost(lease)
    if lease.chunk.owner_id:
        Worker.objects.filter(pk=lease.chunk.owner_id).update(last_heartbeat=Now())
    if IRIJob.objects.filter(pk=lease.chunk.job_id, paused=True).exists():
        return "the job is paused"
    return "a chunk of higher priority waits" if is_outranked(lease.chunk) else ""


def _held(lease: ChunkLease) -> Any:
    return IRIChunk.objects.held(fencing_token=lease.token).filter(pk=lease.chunk.pk)


def _lost(lease: ChunkLease) -> LeaseLost:
    return LeaseLost(f"{lease.chunk} is no longer held under token {lease.token}")


def hold(lease: ChunkLease) -> None:
    """Lock the chunk's row for this transaction, or raise LeaseLost."""
    if not _held(lease).select_for_update().exists():
        raise _lost(lease)


def _got_further(lease: ChunkLease) -> None:
    """Attempts are counted anew: a chunk that gets further is no poison."""
    _held(lease).update(fruitless=0)


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
        hold(lease)
        _got_further(lease)
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
            made_by=lease.chunk.owner_id,
            finished_at=Now(),
            **images,
        )


@transaction.atomic
def fail_iri(*, lease: ChunkLease, iri_id: Any, reason: str, loss_trace: list[Any]) -> None:
    """One IRI of the chunk can't be found, the others go on; a lost lease writes nothing."""
    hold(lease)
    _got_further(lease)
    IRI.objects.filter(pk=iri_id, chunk=lease.chunk).exclude(status=IRIStatus.DONE).update(
        status=IRIStatus.FAILED, reason=reason, loss_trace=loss_trace, finished_at=Now()
    )


@transaction.atomic
def finish_chunk(*, lease: ChunkLease) -> None:
    """All of the chunk's IRIs are recorded, found or failed."""
    _end(lease, ChunkStatus.FINISHED, reason="")


@transaction.atomic
def fail_chunk(*, lease: ChunkLease, reason: str, can_pass: bool, batch_size: int | None = None) -> None:
    """End the attempt. What can pass by itself waits for another attempt, longer each time; the rest fails
    with the reason. `batch_size`: what the next attempt is to begin with, where memory ran out.
    """
    hold(lease)
    fruitless = IRIChunk.objects.values_list("fruitless", flat=True).get(pk=lease.chunk.pk)
    if not can_pass or fruitless >= settings.IRI_MAX_ATTEMPTS:
        IRI.objects.filter(chunk=lease.chunk, status=IRIStatus.RUNNING).update(
            status=IRIStatus.FAILED, reason=reason
        )
        _end(lease, ChunkStatus.FAILED, reason=reason)
        return
    changes = {} if batch_size is None else {"batch_size": batch_size}
    _give_back(lease, reason, not_before=Now() + _backoff(fruitless), **changes)


def _backoff(fruitless: int) -> timedelta:
    """Twice as long after each attempt that led nowhere."""
    wait = timedelta(seconds=settings.IRI_BACKOFF_SECONDS) * 2 ** max(fruitless - 1, 0)
    return min(wait, LONGEST_BACKOFF)


@transaction.atomic
def release_chunk(*, lease: ChunkLease, reason: str = "") -> None:
    """Give the chunk back unharmed, the attempt uncounted: a worker that shuts down, a job that pauses."""
    hold(lease)
    _give_back(lease, reason, **_uncounted())
    if not lease.chunk.job.paused:
        ring(lease.chunk.job.broker_queue)


@transaction.atomic
def put_off_chunk(*, lease: ChunkLease, reason: str) -> None:
    """Give the chunk back for a while, the attempt uncounted: the image store or the database is away."""
    hold(lease)
    _give_back(lease, reason, not_before=Now() + _backoff(1), **_uncounted())


def _uncounted() -> dict[str, Any]:
    return {name: Greatest(F(name), 1) - 1 for name in ("attempts", "fruitless")}


def _give_back(lease: ChunkLease, reason: str, **changes: Any) -> None:
    move_chunks(_held(lease), ChunkStatus.QUEUED, reason=reason, by=lease.by, finished_at=None, **changes)
    IRI.objects.filter(chunk=lease.chunk, status=IRIStatus.RUNNING).update(
        status=IRIStatus.QUEUED, reason=reason
    )


def _end(lease: ChunkLease, status: str, *, reason: str) -> None:
    hold(lease)
    checkpoint = IRIChunk.objects.get(pk=lease.chunk.pk).checkpoint
    move_chunks(
        _held(lease), status, reason=reason, by=lease.by, finished_at=Now(), checkpoint="", checkpoint_at=None
    )
    settle_job(lease.chunk.job_id)
    discard_after_commit(checkpoint)


def save_checkpoint(*, lease: ChunkLease, data: bytes) -> None:
    """Store how far the chunk's search is, for whoever takes it over; the one before it goes.

    Raises StoreTrouble where it can't be written, LeaseLost where it is no longer ours to write.
    """
    name = write_checkpoint_file(f"{lease.chunk.pk}-{lease.token}", data)
    try:
        with transaction.atomic():
            hold(lease)
            former = IRIChunk.objects.get(pk=lease.chunk.pk).checkpoint
            _held(lease).update(checkpoint=name, checkpoint_at=Now(), fruitless=0)
            discard_after_commit(former)
    except LeaseLost:
        discard(name)
        raise
