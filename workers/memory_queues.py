"""Queues by memory: a worker on iri.gpu hears iri.gpu.24g as well if its device has 24 GiB."""

from __future__ import annotations

from typing import Any

from survey_site.stimuli.models import GIB, MinMemory, Queue, broker_queue


def memory_queues(queue: str, memory_bytes: int) -> list[str]:
    """The broker's queues for devices of this kind that ask for no more than this memory."""
    return [broker_queue(queue, gib) for gib in MinMemory.values if gib and gib * GIB <= memory_bytes]


def consume_memory_queues(queues: Any, memory_bytes: int) -> None:
    """Add them to what a Celery worker (its app.amqp.queues) consumes."""
    for queue in Queue.values:
        if queue in queues.consume_from:
            for name in memory_queues(queue, memory_bytes):
                queues.select_add(queues.new_missing(name))
