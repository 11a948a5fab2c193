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
import threading
import time
import traceback
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from typing import Any

import torch
from celery import shared_task, signals
from django.core.files.base import File

from survey_site.stimuli import services
from survey_site.stimuli.models import IRI, IRIStatus, Network, Worker
from workers.iri.images import fit, from_png, sha256, to_png
from workers.iri.inversion import Found, InversionStopped, Progress, invert
from workers.iri.networks import (
    SOURCES,
    BuiltNetwork,
    NetworkSpec,
    build,
    catalogue,
    list_layers,
)
from workers.iri.perceptual import shared_perceptual
from workers.iri.provenance import provenance
from workers.iri.recipe import Recipe
from workers.lease_keeper import LeaseKeeper
from workers.measuring import Measurer
from workers.pools import pool_of
from workers.presence import Presence

logger = logging.getLogger(__name__)

shutting_down = threading.Event()


def device() -> str:
    """IRI_DEVICE, or the first CUDA device where there is one, or the CPU."""
    wanted = os.environ.get("IRI_DEVICE", "auto") or "auto"
    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted


@signals.worker_init.connect
def check_device(**_: Any) -> None:
    """A device that cannot be stops the worker at its start, by name, and no chunk is claimed for it."""
    wanted = os.environ.get("IRI_DEVICE", "auto") or "auto"
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", wanted):
        raise SystemExit(f"IRI_DEVICE is {wanted!r}; allowed: auto, cpu, cuda, cuda:0, cuda:1, ...")
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit(f"IRI_DEVICE is {wanted!r}, but torch finds no CUDA device here")


@signals.worker_ready.connect
def announce(sender: Any = None, **_: Any) -> None:
    """Tell the admin that this worker lives, and what it can build."""
    queues = [queue.name for queue in sender.task_consumer.queues] if sender is not None else []
    worker = this_worker(str(getattr(sender, "hostname", "") or socket.gethostname()), queues)
    Presence(worker.name).start()


@signals.worker_shutting_down.connect
def stop_gracefully(**_: Any) -> None:
    """The descent under way stops within a second and its chunk is given back."""
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
    lease = services.claim_chunk(worker=worker, queue=queue)
    if lease is None:
        return
    logger.info("%s: attempt %s", lease.chunk, lease.chunk.attempts)
    try:
        _attempt(lease)
    except services.LeaseLost as lost:
        logger.warning("%s", lost)


def _attempt(lease: services.ChunkLease) -> None:
    """Make the chunk's IRIs, or note why not. Raises LeaseLost when the chunk is not ours to write to."""
    try:
        with LeaseKeeper(lease) as keeper:
            make_chunk(lease, keeper)
    except services.LeaseLost:
        raise
    except InversionStopped:  # shutting down, or the lease is lost
        services.release_chunk(lease=lease)
    except (ValueError, LookupError) as refusal:  # what no other attempt would change
        logger.exception("%s failed", lease.chunk)
        services.fail_chunk(lease=lease, reason=f"{refusal}", can_pass=False)
    except Exception:
        logger.exception("%s failed", lease.chunk)
        services.fail_chunk(lease=lease, reason=traceback.format_exc(), can_pass=True)


def make_chunk(lease: services.ChunkLease, keeper: LeaseKeeper) -> None:
    """Invert the chunk's unfinished IRIs as one batch; each is measured on its PNG and stored when finished.

    So what is finished outlives a stop, a cancel or a crash, and an image that can't be searched for fails
    with its reason beside the others.
    """
    job = lease.chunk.job
    recipe, network = job.recipe.load(), _built(job.layer.network_id)
    iris = list(
        lease.chunk.iris.filter(status=IRIStatus.RUNNING).select_related("target__image").order_by("pk")
    )

    def should_stop() -> bool:
        return keeper.is_lost or shutting_down.is_set()

    if iris:
        targets = [to_png(fit(_bytes(iri), recipe.image_size)) for iri in iris]
        recorder = _Recorder(lease, network, recipe, iris, targets, should_stop)
        invert(
            network,
            job.layer.name,
            torch.stack([from_png(png) for png in targets]),
            recipe,
            seeds=[iri.rng_seed for iri in iris],
            on_result=recorder.record,
            on_progress=lambda progress: keeper.note(_progress(progress)),
            should_stop=should_stop,
            pool=pool_of(job, recipe),
            device=device(),
        )
    services.finish_chunk(lease=lease)


def _bytes(iri: IRI) -> bytes:
    with iri.target.image.file.open("rb") as file:
        return bytes(file.read())


def _progress(progress: Progress) -> dict[str, Any]:
    finite = [error for error in progress.errors if error < float("inf")]
    return {
        "step": progress.step,
        "steps": progress.steps,
        "relative_error": round(median(finite), 4) if finite else None,
        "seconds_left": round((progress.steps - progress.step) * progress.seconds_per_step, 1),
    }


class _Recorder:
    """Stores a chunk's images as the search finds them."""

    def __init__(
        self,
        lease: services.ChunkLease,
        network: BuiltNetwork,
        recipe: Recipe,
        iris: list[IRI],
        targets: list[bytes],
        should_stop: Callable[[], bool],
    ) -> None:
        self._lease, self._network, self._recipe = lease, network, recipe
        self._measurer = Measurer(lease.chunk.job, recipe, network, should_stop)
        self._iris, self._targets = iris, targets
        self._began = time.monotonic()

    def record(self, found: Found) -> None:
        iri, trace = self._iris[found.place], _plain_trace(found)
        if found.failure:
            services.fail_iri(lease=self._lease, iri_id=iri.pk, reason=found.failure, loss_trace=trace)
            return
        target, image, start = self._targets[found.place], to_png(found.image), to_png(found.start_image)
        services.record_iri(
            lease=self._lease,
            found=services.FoundIRI(
                iri_id=iri.pk,
                image=image,
                start_image=start,
                target_resized=target,
                size=self._recipe.image_size,
                loss_trace=trace,
                provenance={
                    **provenance(device()),
                    "network": self._network.provenance,
                    "recipe": self._lease.chunk.job.recipe.sha256,
                    "rng_seed": iri.rng_seed,
                    **_perceptual_provenance(self._recipe),
                    "image_sha256": sha256(image),
                    "start_sha256": sha256(start),
                    "target_sha256": sha256(target),
                    "batch": [str(member.pk) for member in self._iris],
                    "steps_run": found.steps_run,
                    "seconds": round(time.monotonic() - self._began, 2),
                },
                **self._measurer.measured(image=image, start=start, target=target, trace=found.loss_trace),
            ),
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
