"""Queueing (network, layer) pairs: the rows are the queue."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from survey_site.access.models import User
from survey_site.stimuli.models import (
    IRI,
    OPEN_JOBS,
    ChunkStatus,
    ImageSet,
    IRIChunk,
    IRIJob,
    IRIStatus,
    JobStatus,
    Layer,
    MinMemory,
    Network,
    NetworkState,
    Queue,
    Recipe,
    TargetImage,
    broker_queue,
)
from survey_site.stimuli.services.checkpoints import discard_after_commit
from survey_site.stimuli.services.doorbell import ring
from survey_site.stimuli.services.networks import NetworkRefused, check_buildable
from survey_site.stimuli.services.states import move_chunks, move_job, note_job, settle_job

PRIORITIES = range(-1000, 1001)


class QueueRefused(Exception):
    """A pair that cannot be queued; the message says why."""


def check_priority(priority: int) -> None:
    """Raises QueueRefused for a priority out of PRIORITIES."""
    if priority not in PRIORITIES:
        raise QueueRefused(f"the priority is {priority}; allowed: {PRIORITIES[0]} to {PRIORITIES[-1]}")


@transaction.atomic
def queue_pairs(
    *,
    layers: Iterable[Layer],
    recipe: Recipe,
    image_set: ImageSet,
    rng_seed: int = 0,
    queue: str = Queue.CPU,
    min_memory_gib: int = 0,
    priority: int = 0,
    created_by: User | None = None,
) -> list[IRIJob]:
    """Queue every layer with the recipe over the image set, one job per pair, and ring for workers.

    IRIs that exist already (same layer, recipe, target and RNG seed) are found, not made again: a job
    that was queued before is returned, with rows added for targets that are new in the set and with
    failed or cancelled ones queued again; it moves to the queue and priority asked for now.
    Raises QueueRefused for what can't be made, such as IRIs of a network that no live worker can build.
    """
    if min_memory_gib not in MinMemory.values:
        raise QueueRefused(
            f"the memory asked for is {min_memory_gib} GiB; allowed: {', '.join(map(str, MinMemory.values))}"
        )
    check_priority(priority)
    urgency = {"queue": queue, "min_memory_gib": min_memory_gib, "priority": priority}
    targets = list(image_set.targets.select_related("image"))
    if not targets:
        raise QueueRefused(f"image set {image_set.slug!r} has no images; import some first")
    jobs = [
        _queue_pair(layer, recipe, image_set, targets, rng_seed, urgency, created_by)
        for layer in _ready(layers)
    ]
    made = [_put_into_chunks(job) for job in jobs]
    for job, n_chunks in zip(jobs, made, strict=True):
        _reopen(job, n_chunks, created_by)
    ring(broker_queue(queue, min_memory_gib), times=sum(made))
    return jobs


def _reopen(job: IRIJob, n_chunks: int, created_by: User | None) -> None:
    """A job that had ended waits again for what is missing; one without anything to make ends at once."""
    if n_chunks:
        by = str(created_by or "")
        move_job(job.pk, JobStatus.QUEUED, reason=f"queued again: {n_chunks} chunks", by=by)
    else:
        settle_job(job.pk)


def _ready(layers: Iterable[Layer]) -> list[Layer]:
    """The layers, locked, so that two who queue the same pair at once find the same job."""
    ids = [layer.pk for layer in layers]
    rows = Layer.objects.select_related("network").order_by("pk").select_for_update(of=("self",)).in_bulk(ids)
    wanted = [rows[pk] for pk in ids]
    for layer in wanted:
        if layer.network.state != NetworkState.READY:
            raise QueueRefused(
                f"network {layer.network.slug!r} is {layer.network.state}; only ready networks can be queued"
            )
        _check_buildable(layer.network)
    return wanted


def _check_buildable(network: Network) -> None:
    try:
        check_buildable(
            source=network.source, architecture=network.architecture, pretrained=network.pretrained
        )
    except NetworkRefused as refusal:
        raise QueueRefused(f"network {network.slug!r}: {refusal}") from refusal


def _queue_pair(
    layer: Layer,
    recipe: Recipe,
    image_set: ImageSet,
    targets: list[TargetImage],
    rng_seed: int,
    urgency: dict[str, Any],
    created_by: User | None,
) -> IRIJob:
    job, _ = IRIJob.objects.update_or_create(
        layer=layer,
        recipe=recipe,
        image_set=image_set,
        rng_seed=rng_seed,
        cancelled_at=None,
        defaults=urgency,
        create_defaults={**urgency, "created_by_id": created_by.pk if created_by else None},
    )
    IRI.objects.bulk_create(
        [
            IRI(job=job, layer=layer, recipe=recipe, target=target, rng_seed=iri_seed(rng_seed, target))
            for target in targets
        ],
        ignore_conflicts=True,  # the unique constraint finds what was queued before
    )
    _take_up_again(job)
    return job


def _take_up_again(job: IRIJob) -> None:
    """What failed or was cancelled before is queued again, now for this job."""
    ended = IRI.objects.filter(
        layer=job.layer,
        recipe=job.recipe,
        target__image_set=job.image_set,
        job__rng_seed=job.rng_seed,
        status__in=[IRIStatus.FAILED, IRIStatus.CANCELLED],
    )
    for former, n in Counter(ended.exclude(job=job).values_list("job_id", flat=True)).items():
        note_job(former, f"job {job.pk} makes its {n} missing IRIs")
    ended.update(job=job, chunk=None, status=IRIStatus.QUEUED, reason="")


def iri_seed(job_seed: int, target: TargetImage) -> int:
    """63-bit RNG seed of one IRI, from the job's RNG seed and the target's sha256."""
    digest = hashlib.sha256(f"{job_seed}:{target.image.sha256}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _put_into_chunks(job: IRIJob) -> int:
    """Returns how many chunks were made."""
    loose = list(job.iris.filter(status=IRIStatus.QUEUED, chunk=None).order_by("target__name"))
    size = settings.IRI_CHUNK_SIZE
    parts = [loose[start : start + size] for start in range(0, len(loose), size)]
    for part in parts:
        chunk = IRIChunk.objects.create(job=job)
        IRI.objects.filter(pk__in=[iri.pk for iri in part]).update(chunk=chunk)
    return len(parts)


@transaction.atomic
def cancel_job(*, job: IRIJob, by: str = "") -> bool:
    """Stop the job now: what is found stays, the rest can be queued again at once. Whether it was open.

    Workers lose their leases with it: they stop at their next heartbeat, and record nothing more.
    """
    open_chunks = job.chunks.open()
    checkpoints = [chunk.checkpoint for chunk in open_chunks.exclude(checkpoint="")]
    move_chunks(
        open_chunks, ChunkStatus.CANCELLED, by=by, finished_at=Now(), checkpoint="", checkpoint_at=None
    )
    for file in checkpoints:
        discard_after_commit(file)
    if not move_job(job.pk, JobStatus.CANCELLED, by=by, cancelled_at=Now()):
        return False
    open_iris = [IRIStatus.QUEUED, IRIStatus.RUNNING]
    job.iris.filter(status__in=open_iris).update(status=IRIStatus.CANCELLED)
    return True


@transaction.atomic
def pause_job(*, job: IRIJob, by: str = "") -> bool:
    """Let the job wait: workers give its chunks back, checkpointed, at their next heartbeat.

    Whether it does: a job that has ended has nothing to wait with.
    """
    if not IRIJob.objects.filter(pk=job.pk, paused=False, status__in=OPEN_JOBS).update(paused=True):
        return False
    note_job(job.pk, "paused", by=by)
    return True


@transaction.atomic
def resume_job(*, job: IRIJob, by: str = "") -> bool:
    """Let a paused job go on, and ring for what waits."""
    if not IRIJob.objects.filter(pk=job.pk, paused=True).update(paused=False):
        return False
    note_job(job.pk, "resumed", by=by)
    ring(job.broker_queue, times=IRIChunk.objects.claimable().filter(job=job).count())
    return True


@transaction.atomic
def prioritise_job(*, job: IRIJob, priority: int, by: str = "") -> bool:
    """The next chunk that any worker takes is one of the highest priority; a worker with a lower one gives it
    back, checkpointed, at its next heartbeat.
    """
    check_priority(priority)
    if not IRIJob.objects.filter(pk=job.pk).exclude(priority=priority).update(priority=priority):
        return False
    note_job(job.pk, f"priority {job.priority} → {priority}", by=by)
    return True
