"""The broker is a doorbell: messages say that there is work; the database says which."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.db.models.functions import Now
from kombu import Queue as BrokerQueue
from kombu.exceptions import KombuError
from redis import RedisError

from survey_site.celery import app
from survey_site.stimuli.models import (
    IRI,
    CheckStatus,
    ChunkStatus,
    IRICheck,
    IRIChunk,
    IRIStatus,
    Network,
    NetworkState,
    Queue,
    broker_queue,
)
from survey_site.stimuli.services.checkpoints import discard_after_commit
from survey_site.stimuli.services.states import move_chunks, settle_job, settle_jobs
from survey_site.stimuli.services.tallies import RINGS_REPEATED, SWEEPS, count

logger = logging.getLogger(__name__)

MAKE_IRIS = "workers.make_iris"
INSPECT_NETWORK = "workers.inspect_network"
CHECK_IRIS = "workers.check_iris"
# A person waits while a ring is sent, so a broker that is away is waited for a few seconds at most.
BRIEFLY = {"socket_connect_timeout": 2, "socket_timeout": 2, "max_retries": 1, "interval_start": 0.2}


def ring(queue: str, *, times: int = 1) -> None:
    """After commit, tell the workers of `queue` `times` times that there is work.

    A lost ring is repeated by the sweep. Ring once for many chunks: a broker that is away is then waited
    for once.
    """
    ring_for(MAKE_IRIS, queue, times=times)


def ring_for(task: str, queue: str, *, times: int = 1) -> None:
    """After commit, send `times` times a task that looks for work of its own kind on `queue`."""
    if times > 0:
        transaction.on_commit(lambda: _send(task, {"queue": queue}, queue, times))


def ring_for_inspection(network: Network, queue: str = Queue.CPU) -> None:
    """After commit, ask a worker to inspect the network."""
    transaction.on_commit(lambda: _send(INSPECT_NETWORK, {"network_id": network.pk}, queue, 1))


def ring_for_checks(queue: str = Queue.CPU) -> None:
    """After commit, ask a worker to measure again what waits to be checked."""
    transaction.on_commit(lambda: _send(CHECK_IRIS, {}, queue, 1))


def _send(task: str, kwargs: dict[str, object], queue: str, times: int) -> None:
    try:
        with app.connection_for_write(transport_options=BRIEFLY) as connection:
            for _ in range(times):
                app.send_task(task, kwargs=kwargs, queue=queue, connection=connection)
    except (KombuError, RedisError, OSError) as error:
        logger.warning("The broker did not take %s for %s; the sweep will ring again: %s", task, queue, error)


def sweep() -> dict[str, int]:
    """Give up chunks without attempts left, end jobs that nobody ended, and ring once per chunk that waits
    beyond the rings under way, and for what else waits for a worker. Returns the rings sent by queue.
    """
    give_up_exhausted()
    settle_jobs()
    rung: dict[str, int] = {}
    for queue, waiting in _waiting_by_queue().items():
        missing = waiting - rings_under_way(queue)
        if missing > 0:
            ring(queue, times=missing)
            rung[queue] = missing
    _ring_for_questions()
    count(SWEEPS)
    count(RINGS_REPEATED, sum(rung.values()))
    return rung


def _waiting_by_queue() -> dict[str, int]:
    counts = (
        IRIChunk.objects.claimable()
        .order_by()
        .values_list("job__queue", "job__min_memory_gib")
        .annotate(n=Count("pk"))
    )
    return {broker_queue(queue, gib): n for queue, gib, n in counts}


def _ring_for_questions() -> None:
    """Networks to inspect and IRIs to measure again, where no ring for anything is under way."""
    networks = Network.objects.filter(state=NetworkState.PENDING)
    checks = IRICheck.objects.filter(status=CheckStatus.PENDING)
    if not (networks.exists() or checks.exists()) or rings_under_way(Queue.CPU):
        return
    for network in networks:
        ring_for_inspection(network)
    if checks.exists():
        ring_for_checks()


def rings_under_way(queue: str) -> int:
    """Messages waiting in the broker's queue, so that a sweep never piles up rings behind busy workers."""
    with app.connection_for_read() as connection:
        declared: Any = BrokerQueue(queue, durable=True).bind(connection.default_channel).queue_declare()
    return int(declared.message_count)


@transaction.atomic
def give_up_exhausted() -> int:
    """Fail chunks whose last allowed attempt lost its lease, and the IRIs that they still hold."""
    chunks = list(IRIChunk.objects.exhausted().select_for_update(skip_locked=True, of=("self",)))
    for chunk in chunks:
        reason = chunk.reason if chunk.reason.startswith("Traceback") else _without_a_word(chunk)
        IRI.objects.filter(chunk=chunk, status__in=[IRIStatus.QUEUED, IRIStatus.RUNNING]).update(
            status=IRIStatus.FAILED, reason=reason
        )
        move_chunks(
            IRIChunk.objects.filter(pk=chunk.pk),
            ChunkStatus.FAILED,
            reason=reason,
            finished_at=Now(),
            checkpoint="",
            checkpoint_at=None,
        )
        discard_after_commit(chunk.checkpoint)
        settle_job(chunk.job_id)
    return len(chunks)


def _without_a_word(chunk: IRIChunk) -> str:
    return f"given up after {chunk.fruitless} attempts: each worker stopped without a word"
