"""Chunks under leases: one holder at a time, and whoever lost the lease changes nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from survey_site.stimuli import services
from survey_site.stimuli.models import IRI, ChunkStatus, IRIChunk, IRIStatus
from survey_site.stimuli.services.doorbell import give_up_exhausted
from tests.builders import SIZE, claim, found, image_set, layer, network, queued_job, recipe, worker

pytestmark = pytest.mark.django_db


def lapse(lease: services.ChunkLease) -> None:
    """The lease runs out, as if its holder had been silent for too long."""
    IRIChunk.objects.filter(pk=lease.chunk.pk).update(lease_until=Now() - timedelta(seconds=1))


def nothing_waits(queue: str = "iri.cpu") -> bool:
    return services.claim_chunk(worker=worker(), queue=queue) is None


def rows() -> list[Any]:
    """Everything that a write could change, apart from workers' heartbeats."""
    return [*IRIChunk.objects.order_by("pk").values(), *IRI.objects.order_by("pk").values()]


def test_a_claim_gives_a_lease_a_token_and_the_attempts_number() -> None:
    job = queued_job()
    lease = claim()
    chunk = IRIChunk.objects.get()
    assert chunk.owner is not None
    assert chunk.lease_until is not None
    assert chunk.started_at is not None
    assert (chunk.status, chunk.owner.name, chunk.attempts) == (ChunkStatus.RUNNING, "iri@here", 1)
    assert (lease.token, chunk.fencing_token, lease.chunk.job) == (1, 1, job)
    assert chunk.lease_until - chunk.started_at == timedelta(seconds=60)
    assert set(job.iris.values_list("status", flat=True)) == {IRIStatus.RUNNING}
    assert nothing_waits()


def test_the_best_chunk_goes_first_by_priority_then_by_age() -> None:
    first, second = queued_job(slug="first"), queued_job(slug="second")
    urgent = queued_job(slug="urgent", priority=3)
    assert [claim().chunk.job for _ in range(3)] == [urgent, first, second]


def test_workers_get_chunks_of_their_own_queue_alone() -> None:
    queued_job(queue="iri.gpu")
    assert nothing_waits("iri.cpu")
    assert not nothing_waits("iri.gpu")


def test_a_paused_job_waits_and_a_resumed_one_goes_on() -> None:
    job = queued_job()
    type(job).objects.update(paused=True)
    assert nothing_waits()
    type(job).objects.update(paused=False)
    assert claim().chunk.job == job


def test_a_cancelled_job_is_never_claimed() -> None:
    job = queued_job()
    services.cancel_job(job=job)
    assert nothing_waits()
    assert set(job.iris.values_list("status", flat=True)) == {IRIStatus.CANCELLED}


def test_what_was_found_before_the_cancel_stays() -> None:
    job = queued_job()
    lease = claim()
    done = lease.chunk.iris.all()[0]
    services.record_iri(lease=lease, found=found(done))
    services.cancel_job(job=job)
    assert sorted(job.iris.values_list("status", flat=True)) == ["cancelled"] * 3 + ["done"]


@pytest.mark.django_db(transaction=True)
def test_workers_who_claim_at_once_never_get_the_same_chunk(broker: object, settings: Any) -> None:
    settings.IRI_CHUNK_SIZE = 1
    services.queue_pairs(layers=[layer(network())], recipe=recipe(), image_set=image_set(12))

    def work(name: str) -> list[int]:
        claimed = []
        try:
            me = worker(name)
            while lease := services.claim_chunk(worker=me, queue="iri.cpu"):
                claimed.append(lease.chunk.pk)
        finally:
            connection.close()
        return claimed

    with ThreadPoolExecutor(6) as pool:
        claims = [pk for mine in pool.map(work, [f"iri@{n}" for n in range(6)]) for pk in mine]
    assert len(claims) == len(set(claims)) == 12
    assert set(IRIChunk.objects.values_list("attempts", "fencing_token")) == {(1, 1)}


def test_a_heartbeat_renews_the_lease_and_carries_progress() -> None:
    queued_job()
    lease = claim()
    lapse(lease)
    services.heartbeat(lease=lease, progress={"step": 5})
    chunk = IRIChunk.objects.get()
    assert chunk.progress == {"step": 5}
    assert nothing_waits()


def test_a_lapsed_lease_is_claimed_again_under_a_higher_token() -> None:
    queued_job()
    lapsed = claim(by="iri@killed")
    lapse(lapsed)
    second = claim(by="iri@next")
    assert (second.chunk, second.token) == (lapsed.chunk, lapsed.token + 1)
    assert second.chunk.owner is not None
    assert second.chunk.owner.name == "iri@next"
    assert second.chunk.attempts == 2


@pytest.mark.parametrize("end", ["lapsed", "cancelled", "finished"])
def test_whoever_lost_the_lease_changes_nothing(end: str) -> None:
    job = queued_job()
    former = claim()
    iri = former.chunk.iris.all()[0]
    if end == "lapsed":
        lapse(former)
        claim(by="iri@next")
    elif end == "cancelled":
        services.cancel_job(job=job)
    else:
        services.finish_chunk(lease=former)
    before = rows()
    writes: list[Any] = [
        lambda: services.heartbeat(lease=former, progress={"step": 99}),
        lambda: services.record_iri(lease=former, found=found(iri)),
        lambda: services.finish_chunk(lease=former),
        lambda: services.fail_chunk(lease=former, reason="late", can_pass=False),
        lambda: services.release_chunk(lease=former),
    ]
    for write in writes:
        with pytest.raises(services.LeaseLost, match=f"is no longer held under token {former.token}"):
            write()
    assert rows() == before


def test_an_iri_is_recorded_once_with_all_that_was_measured() -> None:
    queued_job(1)
    lease = claim()
    iri = lease.chunk.iris.get()
    first = found(iri)
    services.record_iri(lease=lease, found=first)
    services.record_iri(lease=lease, found=found(iri, passed=False))  # delivered twice: the first stays
    iri.refresh_from_db()
    assert (iri.status, iri.passed, iri.relative_error) == (IRIStatus.DONE, True, 0.1)
    for image, data in (
        (iri.image, first.image),
        (iri.start_image, first.start_image),
        (iri.target_resized, first.target_resized),
    ):
        assert image is not None
        assert (image.file.read(), image.width) == (data, SIZE)
    assert iri.loss_trace == [[0, 1.0], [3, 0.1]]


def test_an_iri_of_another_chunk_is_not_touched(settings: Any) -> None:
    settings.IRI_CHUNK_SIZE = 1
    queued_job(2)
    mine, other = claim(), claim()
    services.record_iri(lease=mine, found=found(other.chunk.iris.get()))
    assert IRI.objects.done().count() == 0


def test_a_retry_takes_up_what_is_left(settings: Any) -> None:
    settings.IRI_BACKOFF_SECONDS = 0
    job = queued_job(3)
    lease = claim()
    services.record_iri(lease=lease, found=found(lease.chunk.iris.all()[0]))
    services.fail_chunk(lease=lease, reason="out of memory", can_pass=True)
    chunk = IRIChunk.objects.get()
    assert (chunk.status, chunk.reason, chunk.finished_at) == (ChunkStatus.QUEUED, "out of memory", None)
    assert sorted(job.iris.values_list("status", flat=True)) == ["done", "queued", "queued"]
    claim()
    assert sorted(job.iris.values_list("status", flat=True)) == ["done", "running", "running"]


def test_a_final_failure_keeps_its_reason_and_is_not_claimed_again() -> None:
    job = queued_job(2)
    services.fail_chunk(lease=claim(), reason="no layer 'x'", can_pass=False)
    assert nothing_waits()
    assert set(job.iris.values_list("status", "reason")) == {(IRIStatus.FAILED, "no layer 'x'")}


def test_the_last_attempt_that_fails_is_final(settings: Any) -> None:
    settings.IRI_BACKOFF_SECONDS = 0
    job = queued_job(2)
    for _ in range(3):
        services.fail_chunk(lease=claim(), reason="out of memory", can_pass=True)
    assert nothing_waits()
    assert set(job.iris.values_list("status", "reason")) == {(IRIStatus.FAILED, "out of memory")}
    assert IRIChunk.objects.get().finished_at is not None


def test_a_released_chunk_is_as_before_and_the_attempt_does_not_count() -> None:
    job = queued_job(2)
    services.release_chunk(lease=claim())
    assert set(job.iris.values_list("status", flat=True)) == {IRIStatus.QUEUED}
    assert claim().chunk.attempts == 1


def test_chunks_whose_workers_vanish_every_time_are_given_up_with_a_reason() -> None:
    job = queued_job(2)
    lease = claim()
    services.record_iri(lease=lease, found=found(lease.chunk.iris.all()[0]))
    lapse(lease)
    for _ in range(3):
        assert give_up_exhausted() == 0
        lapse(claim())
    assert give_up_exhausted() == 1
    reason = "given up after 3 attempts: each worker stopped without a word"
    assert sorted(job.iris.values_list("status", "reason")) == [("done", ""), ("failed", reason)]
    assert IRIChunk.objects.get().status == ChunkStatus.FAILED
    assert nothing_waits()


def test_a_live_last_attempt_is_not_given_up() -> None:
    queued_job(2)
    for _ in range(2):
        lapse(claim())
    claim()
    assert give_up_exhausted() == 0


def test_no_iri_points_at_what_came_under_a_lost_lease() -> None:
    queued_job(1)
    former = claim()
    lapse(former)
    claim()
    iri = former.chunk.iris.get()
    with pytest.raises(services.LeaseLost):
        services.record_iri(lease=former, found=found(iri))
    iri.refresh_from_db()
    assert (iri.status, iri.image) == (IRIStatus.RUNNING, None)
