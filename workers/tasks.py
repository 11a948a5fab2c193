"""The Celery tasks of IRI workers: the only module that knows both Django and torch.

    celery -A survey_site worker -I workers.tasks -P solo --prefetch-multiplier 1 -Q iri.cpu

A message says that there is work on a queue; the claim in the database says which.
"""

from __future__ import annotations

import logging
import math
import os
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from typing import Any

import torch
from celery import shared_task, signals
from django.conf import settings
from django.core.files.base import File
from django.db import connection

from survey_site.stimuli import services
from survey_site.stimuli.models import IRI, IRIJob, IRIStatus, Network, StoredImage, Worker
from workers.attempts import Attempt, MemoryShort, attempt_chunk, shutting_down
from workers.batches import Batch, batch_of
from workers.iri.batch_size import default_batch_size
from workers.iri.compiling import CompileError, check_compiler
from workers.iri.images import from_png, sha256, to_png
from workers.iri.inversion import Found, InversionStopped, Progress, StateRefused, invert_each
from workers.iri.memory import is_out_of_memory
from workers.iri.networks import (
    SOURCES,
    BuiltNetwork,
    NetworkSpec,
    build,
    catalogue,
    list_layers,
)
from workers.iri.perceptual import shared_perceptual
from workers.iri.precision import PrecisionError, check_precision
from workers.iri.provenance import provenance
from workers.iri.quality import measure
from workers.iri.recipe import Passing, Recipe
from workers.iri.search import Work
from workers.measuring import Measurer
from workers.memory_queues import consume_memory_queues
from workers.patience import AWAY, Interrupted, describe
from workers.pools import pool_of
from workers.presence import Presence
from workers.stored_images import UnreadableImage, bytes_of, pixels_of

logger = logging.getLogger(__name__)


def device() -> str:
    """IRI_DEVICE, or the first CUDA device where there is one, or the CPU."""
    wanted = os.environ.get("IRI_DEVICE", "auto") or "auto"
    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted


def precision() -> str:
    """IRI_PRECISION: how precisely descents compute."""
    return os.environ.get("IRI_PRECISION", "float32") or "float32"


def compiler() -> str:
    """IRI_COMPILE: what compiles the passes of descents."""
    return os.environ.get("IRI_COMPILE", "none") or "none"


@signals.worker_init.connect
def check_device(**_: Any) -> None:
    """A device, precision or compiler that cannot be stops the worker at its start, before it claims any."""
    wanted = os.environ.get("IRI_DEVICE", "auto") or "auto"
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", wanted):
        raise SystemExit(f"IRI_DEVICE is {wanted!r}; allowed: auto, cpu, cuda, cuda:0, cuda:1, ...")
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit(f"IRI_DEVICE is {wanted!r}, but torch finds no CUDA device here")
    try:
        check_precision(precision(), torch.device(device()))
    except PrecisionError as error:
        raise SystemExit(f"IRI_PRECISION: {error}") from error
    try:
        check_compiler(compiler())
    except CompileError as error:
        raise SystemExit(f"IRI_COMPILE: {error}") from error


@signals.celeryd_after_setup.connect
def listen_by_memory(instance: Any = None, **_: Any) -> None:
    """Hear the rings for devices of at least so much memory, up to what this one has."""
    consume_memory_queues(instance.app.amqp.queues, _memory())


@signals.worker_ready.connect
def announce(sender: Any = None, **_: Any) -> None:
    """Tell the admin that this worker lives, and what it can build."""
    queues = [queue.name for queue in sender.task_consumer.queues] if sender is not None else []
    worker = this_worker(str(getattr(sender, "hostname", "") or socket.gethostname()), queues)
    services.end_former_leases(worker=worker)
    Presence(worker.name).start()


@signals.worker_shutting_down.connect
def stop_gracefully(**_: Any) -> None:
    """The search under way is checkpointed before its next step, and its chunk given back."""
    shutting_down.set()


def this_worker(name: str, queues: list[str]) -> Worker:
    return services.announce_worker(
        name=name,
        host=socket.gethostname(),
        device=str(provenance(device())["device"]),
        memory_bytes=_memory(),
        queues=queues,
        architectures={source: catalogue(source) for source in SOURCES},
        versions=provenance(device()),
    )


def _memory() -> int:
    if device().startswith("cuda"):
        return int(torch.cuda.get_device_properties(torch.device(device())).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@shared_task(name="workers.inspect_network")
def inspect_network(network_id: int) -> None:
    """Build the network, list its layers, and report them or the reason why it cannot be built."""
    network = Network.objects.filter(pk=network_id).first()
    if network is None:  # deleted while the message waited
        return
    try:
        built = build(spec_of(network))
        layers = list_layers(built, network.input_size or built.input_size)
    except (
        Exception
    ) as error:  # whatever torch and the networks' own code raise, somebody waits for the reason
        logger.exception("network %s cannot be built", network.slug)
        services.fail_inspection(network_id=network_id, reason=str(error) or type(error).__name__)
        return
    services.record_inspection(
        network_id=network_id,
        layers=[
            services.FoundLayer(
                name=layer.name, depth=layer.depth, output_shape=list(layer.output_shape), role=layer.role
            )
            for layer in layers
        ],
        weights_sha256=built.weights_sha256,
        facts={"input_size": built.input_size, "mean": list(built.mean), "std": list(built.std)},
    )


def spec_of(network: Network) -> NetworkSpec:
    """What the library builds for this row."""
    return NetworkSpec(
        source=network.source,
        architecture=network.architecture,
        weights=_local_copy(network.weights) if network.weights else None,
        pretrained=network.pretrained,
        random_seed=network.random_seed,
        num_classes=network.num_classes,
        mean=tuple(network.mean) if network.mean else None,
        std=tuple(network.std) if network.std else None,
        input_size=network.input_size,
    )


def _local_copy(weights: Any) -> Path:
    """The weights as a file on this machine: the stored file itself, or a copy where storage is remote."""
    try:
        return Path(weights.path)
    except NotImplementedError:
        with (
            weights.open("rb") as remote,
            NamedTemporaryFile(suffix=Path(weights.name).suffix, delete=False) as copy,
        ):
            for part in File(remote).chunks():
                copy.write(part)
        return Path(copy.name)


@lru_cache(maxsize=2)
def _built(network_id: int) -> BuiltNetwork:
    """Networks are immutable once they have IRIs, so the last two are kept between chunks."""
    return build(spec_of(Network.objects.get(pk=network_id)))


@shared_task(name="workers.make_iris", bind=True)
def make_iris(self: Any, queue: str) -> None:
    """Claim the best waiting chunk of the queue and make its IRIs; no work is no error."""
    worker = Worker.objects.filter(name=self.request.hostname).first() or this_worker(
        self.request.hostname, [queue]
    )
    attempt_chunk(worker=worker, queue=queue, make_chunk=make_chunk)


def make_chunk(attempt: Attempt) -> None:
    """Search for the chunk's IRIs as one batch; each is measured on its PNG and stored when finished.

    So what is finished outlives a stop, a cancel or a crash, and an image that can't be searched for fails
    with its reason beside the others. A chunk with a checkpoint goes on from it.
    """
    batch = batch_of(attempt.lease.chunk)
    if batch.n_missing == 0:
        return
    if batch.state is None:
        batch = replace(batch, size=_fitting(attempt.lease.chunk.job, batch.size))
    try:
        _search_on(attempt, batch)
    except InversionStopped as stopped:
        raise Interrupted(attempt.stop_reason or str(stopped)) from stopped
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        if is_out_of_memory(error) and batch.size > 1:
            raise MemoryShort(str(error), batch.size // 2) from error
        raise


def _fitting(job: IRIJob, count: int) -> int:
    """Of `count` images how many are searched for at a time, by what the device was measured to hold."""
    size = job.recipe.load().image_size
    return default_batch_size(
        _built(job.layer.network_id), job.layer.name, size, torch.device(device()), count
    )


def _search_on(attempt: Attempt, batch: Batch) -> None:
    """From the checkpoint if it can be gone on from, else anew."""
    try:
        _search(attempt, batch)
    except StateRefused as refusal:
        logger.warning("%s begins anew: %s", attempt.lease.chunk, refusal)
        _search(attempt, replace(batch, state=None))


def _search(attempt: Attempt, batch: Batch) -> None:
    job = attempt.lease.chunk.job
    recipe, network = job.recipe.load(), _built(job.layer.network_id)
    batch, targets = _with_targets(attempt, batch, recipe.image_size)
    if batch.n_missing == 0:
        return
    recorder = _Recorder(attempt, network, recipe, batch, targets)
    keep = partial(_keep, attempt, batch)
    invert_each(
        network,
        job.layer.name,
        [Work(from_png(png), iri.rng_seed, recipe) for png, iri in zip(targets, batch.iris, strict=True)],
        on_result=recorder.record,
        batch_size=batch.size,
        count=batch.n_missing,
        on_progress=lambda progress: attempt.keeper.note(_progress(progress)),
        on_checkpoint=keep,
        checkpoint_seconds=settings.IRI_CHECKPOINT_SECONDS,
        resume_from=batch.state,
        should_stop=attempt.should_stop,
        pool=pool_of(job, recipe),
        device=device(),
        precision=precision(),
        compiler=compiler(),
    )


def _with_targets(attempt: Attempt, batch: Batch, size: int) -> tuple[Batch, list[bytes]]:
    """The targets as PNGs; an IRI whose target cannot be read fails by itself and leaves the batch."""
    targets: list[bytes] = []
    unreadable: set[int] = set()
    for place, iri in enumerate(batch.iris):
        try:
            targets.append(to_png(pixels_of(iri.target.image, size)))
        except UnreadableImage as error:
            unreadable.add(place)
            _fail(attempt, iri, f"target {iri.target}: {error}")
    return batch.without(unreadable) if unreadable else batch, targets


def _fail(attempt: Attempt, iri: IRI, reason: str, trace: Sequence[Any] = ()) -> None:
    attempt.write(
        partial(services.fail_iri, lease=attempt.lease, iri_id=iri.pk, reason=reason, loss_trace=list(trace))
    )


def _keep(attempt: Attempt, batch: Batch, state: dict[str, Any]) -> None:
    """Store how far the search is. Where that can't be now, the one before it stays."""
    try:
        services.save_checkpoint(lease=attempt.lease, data=batch.to_checkpoint(state))
    except AWAY as error:
        logger.warning("%s: no checkpoint: %s", attempt.lease.chunk, describe(error))
        connection.close()


@shared_task(name="workers.check_iris")
def check_iris() -> None:
    """Measure again what waits to be checked, one IRI after the other."""
    while not shutting_down.is_set() and services.do_next_check(_measured_again):
        pass


def _measured_again(iri: IRI) -> float:
    """The relative error of the stored IRI at its layer, from the PNGs that people see."""
    image, target = (from_png(_stored(stored))[None] for stored in (iri.image, iri.target_resized))
    network = _built(iri.layer.network_id)
    (quality,) = measure(network, iri.layer.name, image, target, Passing(null_quantile=None))
    return quality.similarity.relative_error


def _stored(image: StoredImage | None) -> bytes:
    """Its file; every IRI that is done has the images that are asked for."""
    if image is None:
        raise LookupError("there is no image")
    return bytes_of(image)


def _progress(progress: Progress) -> dict[str, Any]:
    finite = [error for error in progress.errors if error < float("inf")]
    return {
        "step": progress.step,
        "steps": progress.steps,
        "relative_error": round(median(finite), 4) if finite else None,
        "seconds_left": round((progress.steps - progress.step) * progress.seconds_per_step, 1),
    }


class _Recorder:
    """Stores a chunk's images as the search finds them, and leaves alone what was stored before."""

    def __init__(
        self, attempt: Attempt, network: BuiltNetwork, recipe: Recipe, batch: Batch, targets: list[bytes]
    ) -> None:
        self._attempt, self._lease = attempt, attempt.lease
        self._network, self._recipe = network, recipe
        # On the device as well: on a CPU beside a GPU, measuring would take longer than the search.
        there = network.on(torch.device(device()))
        self._measurer = Measurer(attempt.lease.chunk.job, recipe, there, attempt.should_stop)
        self._batch, self._targets = batch, targets
        self._began = time.monotonic()

    def record(self, found: Found) -> None:
        iri, trace = self._batch.iris[found.place], _plain_trace(found)
        if iri.status != IRIStatus.RUNNING or iri.chunk_id != self._lease.chunk.pk:
            return
        if found.failure:
            _fail(self._attempt, iri, found.failure, trace)
            return
        image = self._found(iri, found, trace)
        self._attempt.write(lambda: services.record_iri(lease=self._lease, found=image))

    def _found(self, iri: IRI, found: Found, trace: list[list[float | None]]) -> services.FoundIRI:
        target, image, start = self._targets[found.place], to_png(found.image), to_png(found.start_image)
        return services.FoundIRI(
            iri_id=iri.pk,
            image=image,
            start_image=start,
            target_resized=target,
            size=self._recipe.image_size,
            loss_trace=trace,
            provenance={
                **provenance(device()),
                "precision": precision(),
                "compiler": compiler(),
                "network": self._network.provenance,
                "recipe": self._lease.chunk.job.recipe.sha256,
                "rng_seed": iri.rng_seed,
                **_perceptual_provenance(self._recipe),
                "image_sha256": sha256(image),
                "start_sha256": sha256(start),
                "target_sha256": sha256(target),
                "batch": self._batch.members,
                "batch_size": self._batch.size,
                "steps_run": found.steps_run,
                "seconds": round(time.monotonic() - self._began, 2),
            },
            **self._measurer.measured(image=image, start=start, target=target, trace=found.loss_trace),
        )


def _perceptual_provenance(recipe: Recipe) -> dict[str, Any]:
    """The LPIPS trunks that the recipe looks through, each with the hashes of its weights and heads."""
    trunks = [shared_perceptual(trunk, torch.device(device())).provenance for trunk in recipe.trunks]
    return {"lpips": trunks} if trunks else {}


def _plain_trace(found: Found) -> list[list[float | None]]:
    return [[step, _finite(error)] for step, error in found.loss_trace]


def _finite(number: float) -> float | None:
    """JSON has no NaN: what is not a number is stored as nothing, and the IRI did not pass."""
    return number if math.isfinite(number) else None


# Celery is told of this module alone (-I workers.tasks); the observers' task needs what is defined above.
from workers import observing  # noqa: E402, F401
