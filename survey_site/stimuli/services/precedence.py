"""Which worker gives way when something more urgent waits."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from survey_site.stimuli.models import GIB, ChunkStatus, IRIChunk, IRIJob

#: A chunk that waits for less is about to be taken by a worker that is free.
SHORT_WAIT = timedelta(seconds=2)


def is_outranked(chunk: IRIChunk) -> bool:
    """Whether a chunk of higher priority waits and the holder of this one is the one to take it.

    Of the workers whose memory suffices, the one with the lowest priority gives way, and among equals the
    one with the latest chunk.
    """
    job = IRIJob.objects.get(pk=chunk.job_id)
    waiting = IRIChunk.objects.claimable().filter(
        job__queue=job.queue, job__priority__gt=job.priority, created_at__lt=Now() - SHORT_WAIT
    )
    urgent = waiting.select_related("job").order_by("-job__priority", "pk").first()
    if urgent is None:
        return False
    bytes_asked = urgent.job.min_memory_gib * GIB
    able = IRIChunk.objects.filter(
        status=ChunkStatus.RUNNING, lease_until__gte=Now(), job__queue=job.queue
    ).filter(Q(owner__memory_bytes__gte=bytes_asked) if bytes_asked else Q())
    if not able.filter(pk=chunk.pk).exists():
        return False
    less = Q(job__priority__lt=job.priority) | Q(job__priority=job.priority, pk__gt=chunk.pk)
    return not able.filter(less).exists()
