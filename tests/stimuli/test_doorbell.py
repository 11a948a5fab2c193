"""The broker is a doorbell: what it loses or cannot take costs time, never work."""

import json
import logging
import socket
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db.models.functions import Now

from survey_site.celery import app
from survey_site.stimuli import services
from survey_site.stimuli.models import IRI, IRIChunk, Network
from survey_site.stimuli.tasks import sweep as sweep_task
from tests.builders import claim, finish, layer, queued_job, recipe

pytestmark = pytest.mark.django_db(transaction=True)


def rings(broker: redis.Redis, queue: str = "iri.cpu") -> list[tuple[str, Any]]:
    """(task, arguments) of every message that waits, newest first."""
    messages = [json.loads(raw) for raw in broker.lrange(queue, 0, -1)]
    return [(one["headers"]["task"], json.loads(b64decode(one["body"]))[1]) for one in messages]


def test_queueing_rings_once_for_each_chunk_and_names_no_row(broker: redis.Redis, settings: Any) -> None:
    settings.IRI_CHUNK_SIZE = 2
    queued_job(5)
    inspection, *work = reversed(rings(broker))
    assert inspection == ("workers.inspect_network", {"network_id": Network.objects.get().pk})
    assert work == [("workers.make_iris", {"queue": "iri.cpu"})] * 3


def test_the_sweep_rings_for_what_lacks_a_ring_and_for_nothing_else(
    broker: redis.Redis, settings: Any
) -> None:
    settings.IRI_CHUNK_SIZE = 2
    job = queued_job(6)
    broker.delete("iri.cpu")
    queued_job(2, slug="other")
    broker.rpop("iri.cpu")  # its network's inspection was read; the ring for its chunk still waits
    assert len(rings(broker)) == 1
    assert services.sweep() == {"iri.cpu": 3}
    assert rings(broker) == [("workers.make_iris", {"queue": "iri.cpu"})] * 4
    assert services.sweep() == {}
    broker.flushdb()
    claim()
    type(job).objects.filter(pk=job.pk).update(paused=True)
    assert services.sweep() == {"iri.cpu": 1}


def test_the_sweep_rings_again_for_a_lapsed_lease_and_gives_up_at_last(broker: redis.Redis) -> None:
    queued_job(2)
    for _ in range(3):
        lease = claim()
        broker.flushdb()
        assert services.sweep() == {}
        IRIChunk.objects.filter(pk=lease.chunk.pk).update(lease_until=Now() - timedelta(seconds=1))
        if lease.chunk.attempts < 3:
            assert services.sweep() == {"iri.cpu": 1}
    assert services.sweep() == {}
    assert set(IRI.objects.values_list("status", flat=True)) == {"failed"}


def test_the_sweep_asks_again_for_networks_that_nobody_inspected(broker: redis.Redis) -> None:
    waiting = services.register_network(
        slug="net", name="", source="torchvision", architecture="resnet18", random_seed=0
    )
    broker.flushdb()
    sweep_task()
    sweep_task()
    assert rings(broker) == [("workers.inspect_network", {"network_id": waiting.pk})]


def test_a_flushed_broker_loses_no_work(broker: redis.Redis) -> None:
    job = queued_job(3)
    broker.flushall()
    services.sweep()
    assert len(rings(broker)) == 1
    finish(job)
    assert job.iris.done().count() == 3


@pytest.fixture(params=["closed", "silent"])
def broker_away(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a broker that refuses connections, or of one that takes them and says nothing."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "silent":
            listener.listen()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_a_broker_that_is_away_costs_a_queueing_seconds_and_a_warning_and_loses_nothing(
    broker_away: str,
    broker: redis.Redis,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.IRI_CHUNK_SIZE = 1
    job = queued_job(2)
    layers = [layer(job.layer.network, "fc"), layer(job.layer.network, "conv")]
    broker.flushdb()
    began = time.monotonic()
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(app.conf, "broker_write_url", broker_away)
        services.queue_pairs(layers=layers, recipe=recipe(), image_set=job.image_set)
    assert time.monotonic() - began < 6
    (warning,) = [record.getMessage() for record in caplog.records if "sweep will ring" in record.msg]
    assert warning.startswith("The broker did not take workers.make_iris for iri.cpu")
    assert IRIChunk.objects.claimable().count() == 6
    assert services.sweep() == {"iri.cpu": 6}
