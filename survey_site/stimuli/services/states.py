"""Which state may follow which, and the history that every change leaves.

A change is a conditional update under row locks: of the rows asked for only those move that may. Whoever
locks more than one kind of row locks chunks before their job, so that nobody waits in a circle.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from survey_site.stimuli.models import (
    OPEN_CHUNKS,
    OPEN_JOBS,
    ChunkStatus,
    IRIChunk,
    IRIJob,
    IRIStatus,
    JobStatus,
    StateChange,
)

CHUNK_BEFORE: dict[str, tuple[str, ...]] = {
    ChunkStatus.QUEUED: (ChunkStatus.RUNNING,),
    ChunkStatus.RUNNING: (ChunkStatus.QUEUED, ChunkStatus.RUNNING),  # running: a lapsed lease is taken over
    ChunkStatus.FINISHED: (ChunkStatus.RUNNING,),
    ChunkStatus.FAILED: OPEN_CHUNKS,
    ChunkStatus.CANCELLED: OPEN_CHUNKS,
}
JOB_BEFORE: dict[str, tuple[str, ...]] = {
    JobStatus.QUEUED: (JobStatus.FINISHED, JobStatus.PARTLY_FINISHED, JobStatus.FAILED),
    JobStatus.RUNNING: (JobStatus.QUEUED,),
    JobStatus.FINISHED: OPEN_JOBS,
    JobStatus.PARTLY_FINISHED: OPEN_JOBS,
    JobStatus.FAILED: OPEN_JOBS,
    JobStatus.CANCELLED: (*OPEN_JOBS, JobStatus.PARTLY_FINISHED, JobStatus.FAILED),
}


@transaction.atomic
def move_chunks(
    chunks: QuerySet[IRIChunk], to: str, *, reason: str = "", by: str = "", **changes: Any
) -> int:
    """Move those of the chunks that may go to this state, with `changes` of other columns; how many moved.

    A chunk that runs again keeps the reason of the attempt before it in its row.
    """
    rows = list(
        chunks.filter(status__in=CHUNK_BEFORE[to])
        .order_by("pk")
        .select_for_update(of=("self",))
        .values_list("pk", "job_id", "status")
    )
    if to != ChunkStatus.RUNNING:
        changes["reason"] = reason
    IRIChunk.objects.filter(pk__in=[pk for pk, _, _ in rows]).update(status=to, **changes)
    StateChange.objects.bulk_create(
        [
            StateChange(job_id=job_id, chunk_id=pk, before=before, after=to, reason=reason, by=by)
            for pk, job_id, before in rows
        ]
    )
    return len(rows)


@transaction.atomic
def move_job(job_id: int, to: str, *, reason: str = "", by: str = "", **changes: Any) -> bool:
    """Move the job if it may go to this state; whether it did."""
    may_move = IRIJob.objects.filter(pk=job_id, status__in=JOB_BEFORE[to])
    # A plain look first: a job that has moved already must not be locked by every worker that claims of it.
    if not may_move.exists():
        return False
    row = may_move.select_for_update().first()
    if row is None:
        return False
    may_move.update(status=to, **changes)
    StateChange.objects.create(job_id=job_id, before=row.status, after=to, reason=reason, by=by)
    return True


@transaction.atomic
def note_job(job_id: int, reason: str, *, by: str = "") -> None:
    """A line in the history of a job that stays in its state."""
    status = IRIJob.objects.values_list("status", flat=True).get(pk=job_id)
    StateChange.objects.create(job_id=job_id, before=status, after=status, reason=reason, by=by)


def settle_job(job_id: int) -> None:
    """End the job if none of its chunks is open, now and after commit.

    The last two chunks may end at once, neither seeing the other's end before it is committed.
    """
    _settle(job_id)
    transaction.on_commit(lambda: _settle(job_id))


def settle_jobs() -> None:
    """End jobs whose last chunk ended while nobody lived to note it."""
    stale = IRIJob.objects.filter(status__in=OPEN_JOBS).exclude(chunks__status__in=OPEN_CHUNKS)
    for job_id in stale.values_list("pk", flat=True):
        _settle(job_id)


@transaction.atomic
def _settle(job_id: int) -> None:
    open_chunks = IRIChunk.objects.open().filter(job=job_id)
    if open_chunks.exists():
        return
    # Whoever queues more of the job holds its row meanwhile: look again once it is ours.
    IRIJob.objects.select_for_update().get(pk=job_id)
    if open_chunks.all().exists():
        return
    counts = IRIJob.objects.filter(pk=job_id).aggregate(
        n=Count("iris"),
        done=Count("iris", filter=Q(iris__status=IRIStatus.DONE)),
        failed=Count("iris", filter=Q(iris__status=IRIStatus.FAILED)),
    )
    n, done, failed = counts["n"], counts["done"], counts["failed"]
    if done == n:
        move_job(job_id, JobStatus.FINISHED, reason=f"{done} of {n} found")
    elif done == 0 and failed == n:
        move_job(job_id, JobStatus.FAILED, reason=f"none of {n} found")
    else:
        move_job(job_id, JobStatus.PARTLY_FINISHED, reason=f"{done} of {n} found, {n - done} missing")
