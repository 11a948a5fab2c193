"""GET /metrics in Prometheus' format, for whoever brings METRICS_TOKEN as a bearer token."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db.models import Count
from django.db.models.functions import Now
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from survey_site.participation.models import StudySession
from survey_site.stimuli.models import (
    IRI,
    OPEN_CHUNKS,
    ChunkStatus,
    IRIChunk,
    StateChange,
    Tally,
    Worker,
    broker_queue,
)
from survey_site.stimuli.services.tallies import RINGS_REPEATED, SWEEPS

IRI_MINUTES = 10
ACTIVE_MINUTES = 5


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Without METRICS_TOKEN set, or without bringing it, there is no such page."""
    token, given = settings.METRICS_TOKEN, request.headers.get("Authorization", "")
    if not token or not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise Http404("there is no such page")
    registry = CollectorRegistry()
    registry.register(DatabaseCollector())
    text = generate_latest(registry) + generate_latest(_processes())
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _processes() -> CollectorRegistry:
    """What the web processes count: all of them under gunicorn, this one elsewhere."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


class DatabaseCollector(Collector):
    """What the queue of record and the sessions say now."""

    def collect(self) -> Iterator[Metric]:
        yield chunks()
        yield gauge("iris_per_minute", f"IRIs found, over the last {IRI_MINUTES} minutes.", iris_per_minute())
        yield gauge("workers_alive", "IRI workers that were heard of lately.", Worker.objects.alive().count())
        lately = f"Participants heard of in the last {ACTIVE_MINUTES} minutes."
        yield gauge("sessions_active", lately, active_sessions())
        yield counter("lease_expiries", "Chunks taken over from a worker that fell silent.", lease_expiries())
        tallies = dict(Tally.objects.values_list("name", "n"))
        yield counter(
            "lost_message_recoveries", "Rings sent again by the sweep.", tallies.get(RINGS_REPEATED, 0)
        )
        yield counter("sweeps", "Sweeps of the queue by housekeeping.", tallies.get(SWEEPS, 0))


def gauge(name: str, said: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"irisurvey_{name}", said, value=value)


def counter(name: str, said: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"irisurvey_{name}", said, value=value)


def chunks() -> GaugeMetricFamily:
    """Open chunks by queue and status: how deep the queue is."""
    family = GaugeMetricFamily(
        "irisurvey_open_chunks", "Chunks of IRIs that wait or run.", labels=["queue", "status"]
    )
    rows = (
        IRIChunk.objects.filter(status__in=OPEN_CHUNKS)
        .order_by()
        .values_list("job__queue", "job__min_memory_gib", "status")
        .annotate(n=Count("pk"))
    )
    for queue, memory, status, n in rows:
        family.add_metric([broker_queue(queue, memory), status], n)
    return family


def iris_per_minute() -> float:
    since = Now() - timedelta(minutes=IRI_MINUTES)
    return IRI.objects.done().filter(finished_at__gt=since).count() / IRI_MINUTES


def active_sessions() -> int:
    return StudySession.objects.filter(last_seen_at__gt=Now() - timedelta(minutes=ACTIVE_MINUTES)).count()


def lease_expiries() -> int:
    """A running chunk that begins to run again was held by a worker that fell silent."""
    running = ChunkStatus.RUNNING
    return StateChange.objects.filter(before=running, after=running).exclude(chunk=None).count()
