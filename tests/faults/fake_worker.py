"""A Celery worker whose inversions are fake and take FAKE_SECONDS; all around them is the real thing.

Claims, leases, heartbeats, records and endings are the site's own. What goes wrong on purpose is asked for by
files in FAULTS_FOLDER, so that a running worker can be told:

    kill-before-row    the next image is in the store, its row is not, and the worker is killed (once)
    kill-before-iri    an IRI's images are stored, its row is not written, and the worker is killed (once)
    store-is-full      the image store takes nothing while the file is there
    poison             chunks with a target named in the file fail
    ignore-the-lease   a worker does not heed that its lease is lost, and writes all the same
    hold               no inversion ends while the file is there
"""

from __future__ import annotations

import errno
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

from celery import shared_task, signals
from django.core.files.base import File

from survey_site.stimuli import services
from survey_site.stimuli.models import IRI, IRIStatus, StoredImage, Worker
from survey_site.stimuli.storage import WholeFileStorage
from tests.builders import found
from workers.attempts import Attempt, attempt_chunk, shutting_down
from workers.memory_queues import consume_memory_queues
from workers.presence import Presence

FOLDER = Path(os.environ["FAULTS_FOLDER"])
SECONDS = float(os.environ.get("FAKE_SECONDS", "0.1"))
MEMORY = int(os.environ.get("FAKE_MEMORY_GIB", "4")) * 2**30
SLICE = 0.05


def is_asked(fault: str) -> bool:
    return (FOLDER / fault).exists()


def kill_once(fault: str) -> None:
    """Kill this worker as `kill -9` would; only the first to see the request is killed."""
    try:
        (FOLDER / fault).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def save_or_die(self: StoredImage, *given: Any, **named: Any) -> None:
    kill_once("kill-before-row")
    really_save(self, *given, **named)


def store_or_refuse(self: WholeFileStorage, name: str, content: File) -> str:
    if is_asked("store-is-full"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return really_store(self, name, content)


really_save, really_store = StoredImage.save, WholeFileStorage._save
StoredImage.save = save_or_die  # type: ignore[method-assign, assignment]
WholeFileStorage._save = store_or_refuse  # type: ignore[method-assign]


@signals.celeryd_after_setup.connect
def listen_by_memory(instance: Any = None, **_: Any) -> None:
    consume_memory_queues(instance.app.amqp.queues, MEMORY)


@signals.worker_ready.connect
def announce(sender: Any = None, **_: Any) -> None:
    queues = [queue.name for queue in sender.task_consumer.queues]
    Presence(this_worker(sender.hostname, queues).name).start()


@signals.worker_shutting_down.connect
def stop_gracefully(**_: Any) -> None:
    shutting_down.set()


def this_worker(name: str, queues: list[str]) -> Worker:
    return services.announce_worker(
        name=name, host="here", device="fake", memory_bytes=MEMORY, queues=queues, architectures={}
    )


@shared_task(name="workers.make_iris", bind=True)
def make_iris(self: Any, queue: str) -> None:
    worker = Worker.objects.filter(name=self.request.hostname).first() or this_worker(
        self.request.hostname, [queue]
    )
    attempt_chunk(worker=worker, queue=queue, make_chunk=make_chunk)


def make_chunk(attempt: Attempt) -> None:
    iris = attempt.lease.chunk.iris.filter(status=IRIStatus.RUNNING)
    for iri in iris.select_related("target", "layer__network").order_by("pk"):
        _invert(attempt, iri)
        attempt.write(partial(_record, attempt, iri))


def _record(attempt: Attempt, iri: IRI) -> None:
    images = found(iri)
    if is_asked("kill-before-iri"):
        for data in (images.image, images.start_image, images.target_resized):
            services.store_image(data, size=(images.size, images.size))
        kill_once("kill-before-iri")
    services.record_iri(lease=attempt.lease, found=images)


def _invert(attempt: Attempt, iri: IRI) -> None:
    if is_asked("poison") and iri.target.name in (FOLDER / "poison").read_text().split():
        raise RuntimeError(f"{iri.target.name} is poison")
    until = time.monotonic() + SECONDS
    while (left := until - time.monotonic()) > 0 or is_asked("hold"):
        time.sleep(min(SLICE, left) if left > 0 else SLICE)
        if not is_asked("ignore-the-lease"):
            attempt.check()
