"""What is wrong with the system and what to do about it, in words."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models.functions import Now

from survey_site.analysis.models import Observation, ObservationState
from survey_site.console.health_views import broker_answers
from survey_site.stimuli.models import IRIChunk, IRIJob, JobStatus, Network, NetworkState, Tally, Worker
from survey_site.stimuli.progress import job_progress
from survey_site.stimuli.services import store_trouble
from survey_site.stimuli.services.tallies import SWEEPS

LEAST_FREE_BYTES = 2 * 1024**3
SWEEPS_MISSED = 4
RECENT_DAYS = 7


class State(StrEnum):
    GOOD = "good"
    LOOK = "have a look"
    BAD = "wrong"


@dataclass(frozen=True)
class Finding:
    """One part of the system: how it is, what that means, and what to do; nothing to do where it is good."""

    part: str
    state: State
    says: str
    do: str = ""


def findings() -> list[Finding]:
    """All parts, what is wrong first."""
    order = [State.BAD, State.LOOK, State.GOOD]
    found = [one for look in LOOKS for one in look()]
    return sorted(found, key=lambda finding: order.index(finding.state))


def broker() -> Iterator[Finding]:
    if broker_answers():
        yield Finding("Broker", State.GOOD, "answers")
        return
    yield Finding(
        "Broker",
        State.BAD,
        "does not answer: no worker is told of new work. Nothing is lost, and participants notice nothing.",
        "Start it, or see CELERY_BROKER_URL. The sweep rings for what waits as soon as it is back.",
    )


def housekeeping() -> Iterator[Finding]:
    last = Tally.objects.filter(name=SWEEPS).first()
    allowed = timedelta(seconds=SWEEPS_MISSED * settings.IRI_SWEEP_SECONDS)
    if last is None or not Tally.objects.filter(pk=last.pk, at__gt=Now() - allowed).exists():
        since = f"since {last.at:%Y-%m-%d %H:%M} UTC" if last else "yet"
        yield Finding(
            "Housekeeping",
            State.BAD,
            f"has not swept the queue {since}: results stand still, and lost messages are not sent again.",
            "Start the housekeeping worker (make up, or the service beat), and read its log.",
        )
    else:
        yield Finding("Housekeeping", State.GOOD, f"swept the queue at {last.at:%H:%M:%S} UTC")


def store() -> Iterator[Finding]:
    if trouble := store_trouble():
        yield Finding(
            "Image store", State.BAD, trouble, "Mount or free it; workers wait until it takes files again."
        )
        return
    yield Finding("Image store", State.GOOD, "takes files and gives them back")


def disk() -> Iterator[Finding]:
    if settings.IMAGE_BUCKET:
        return
    folder = next(
        path for path in (Path(settings.MEDIA_ROOT), *Path(settings.MEDIA_ROOT).parents) if path.exists()
    )
    free = shutil.disk_usage(folder).free
    said = f"{free / 1024**3:.1f} GiB are free where images are stored"
    state = State.GOOD if free >= LEAST_FREE_BYTES else State.BAD
    yield Finding("Disk", state, said, "" if state == State.GOOD else "Free some, or move MEDIA_ROOT.")


def workers() -> Iterator[Finding]:
    alive = Worker.objects.alive()
    for worker in alive.exclude(trouble=""):
        yield Finding(
            f"Worker {worker.name}", State.LOOK, f"waits: {worker.trouble}", "See what it waits for, above."
        )
    if alive.exists():
        n = alive.count()
        yield Finding("IRI workers", State.GOOD, "one is running" if n == 1 else f"{n} are running")
    elif IRIChunk.objects.open().exists():
        yield Finding(
            "IRI workers",
            State.BAD,
            "none is running, and IRIs wait to be found.",
            "Start one: docs/deployment.md, “More workers”.",
        )
    else:
        yield Finding(
            "IRI workers", State.LOOK, "none is running", "Start one before the next pairs are queued."
        )


def waiting_jobs() -> Iterator[Finding]:
    """Jobs for which no worker is good enough."""
    open_jobs = IRIJob.objects.filter(status__in=[JobStatus.QUEUED, JobStatus.RUNNING], paused=False)
    for state in job_progress(open_jobs.values_list("pk", flat=True)):
        if state.get("waits_for"):
            yield Finding(
                f"Job {state['job']}",
                State.BAD,
                f"waits: {state['waits_for']}",
                "Start such a worker, or cancel the job and queue it for another queue.",
            )


def failures() -> Iterator[Finding]:
    recent = Now() - timedelta(days=RECENT_DAYS)
    ended = [JobStatus.FAILED, JobStatus.PARTLY_FINISHED]
    failed = IRIJob.objects.filter(status__in=ended, created_at__gt=recent)
    if n := failed.count():
        names = ", ".join(f"job {pk}" for pk in failed.values_list("pk", flat=True)[:5])
        yield Finding(
            "IRI jobs",
            State.LOOK,
            f"{n} of the last {RECENT_DAYS} days did not find all IRIs ({names}).",
            "Each job's page says why; “Queue again” makes what is missing.",
        )
    for network in Network.objects.filter(state=NetworkState.FAILED):
        yield Finding(
            f"Network {network.slug}",
            State.LOOK,
            f"could not be built: {network.state_reason[:200]}",
            "Register it again with what the message asks for.",
        )
    unavailable = Observation.objects.filter(state=ObservationState.UNAVAILABLE).count()
    if unavailable:
        yield Finding(
            "Simulated observers",
            State.LOOK,
            f"{unavailable} are unavailable, most often because weights are not on the worker.",
            "The study's results page says which; docs/results.md where weights go.",
        )


def configuration() -> Iterator[Finding]:
    if settings.DEBUG:
        yield Finding(
            "DEBUG",
            State.BAD,
            "is on: error pages show the code and settings to everybody.",
            "Unset DEBUG and start again.",
        )
    address = urlsplit(settings.PUBLIC_URL)
    if address.hostname in ("127.0.0.1", "localhost"):
        yield Finding(
            "PUBLIC_URL",
            State.LOOK,
            f"is {settings.PUBLIC_URL}: participants' links lead to this machine alone.",
            "Set it to the address that people open.",
        )
    elif not settings.SECURE_SSL:
        yield Finding(
            "SECURE_SSL",
            State.BAD,
            "is off on a public address: passwords and answers can be read on the way.",
            "Put TLS in front and set SECURE_SSL=true: docs/deployment.md.",
        )


LOOKS: list[Callable[[], Iterator[Finding]]] = [
    broker,
    housekeeping,
    store,
    disk,
    workers,
    waiting_jobs,
    failures,
    configuration,
]
