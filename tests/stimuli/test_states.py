"""Jobs and chunks move from state to state as allowed, each step with its reason, time and author."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from survey_site.stimuli import services
from survey_site.stimuli.models import IRIChunk, IRIJob, IRIStatus, JobStatus, StateChange, Worker
from survey_site.stimuli.services.states import JOB_BEFORE, move_chunks, move_job, settle_jobs
from tests.builders import add_images, claim, finish, finished_job, found, queued_job

pytestmark = pytest.mark.django_db


def history(job: IRIJob) -> list[tuple[str, str, str]]:
    """(what, before → after, reason), the oldest first."""
    rows = job.history.all()
    return [("chunk" if row.chunk_id else "job", f"{row.before} → {row.after}", row.reason) for row in rows]


def status(job: IRIJob) -> str:
    return IRIJob.objects.get(pk=job.pk).status


def test_a_jobs_life_is_written_down_with_reasons_times_and_authors() -> None:
    job = finish(queued_job(2))
    assert history(job) == [
        ("chunk", "queued → running", "attempt 1"),
        ("job", "queued → running", ""),
        ("chunk", "running → finished", ""),
        ("job", "running → finished", "2 of 2 found"),
    ]
    changes = list(job.history.all())
    assert [change.by for change in changes] == ["iri@here"] * 3 + [""]
    assert [change.at for change in changes] == sorted(change.at for change in changes)
    assert str(changes[0]) == "queued → running"


def test_a_job_with_some_iris_failed_is_partly_finished_and_takes_up_what_is_missing(settings: Any) -> None:
    settings.IRI_CHUNK_SIZE = 1
    job = queued_job(3)
    services.fail_chunk(lease=claim(), reason="no layer", can_pass=False)
    assert status(job) == JobStatus.RUNNING
    finish(job)
    assert status(job) == JobStatus.PARTLY_FINISHED
    assert history(job)[-1] == ("job", "running → partly_finished", "2 of 3 found, 1 missing")
    (again,) = services.queue_pairs(layers=[job.layer], recipe=job.recipe, image_set=job.image_set)
    assert (again, status(job)) == (job, JobStatus.QUEUED)
    assert history(job)[-1] == ("job", "partly_finished → queued", "queued again: 1 chunks")
    finish(job)
    assert status(job) == JobStatus.FINISHED
    assert job.chunks.count() == 4


def test_a_finished_job_goes_on_for_images_added_to_its_set() -> None:
    job = finish(queued_job(2))
    add_images(job.image_set, range(2, 4))
    services.queue_pairs(layers=[job.layer], recipe=job.recipe, image_set=job.image_set)
    assert status(job) == JobStatus.QUEUED
    assert status(finish(job)) == JobStatus.FINISHED


def test_a_job_whose_iris_all_exist_is_finished_at_once() -> None:
    job = finish(queued_job(2))
    services.queue_pairs(layers=[job.layer], recipe=job.recipe, image_set=job.image_set)
    assert status(job) == JobStatus.FINISHED
    assert len(history(job)) == 4


def test_a_job_without_any_iri_found_failed() -> None:
    job = queued_job(2)
    services.fail_chunk(lease=claim(), reason="no", can_pass=False)
    assert history(job)[-1] == ("job", "running → failed", "none of 2 found")


def test_a_retry_says_why_and_until_when_the_chunk_is_left_alone(settings: Any) -> None:
    settings.IRI_BACKOFF_SECONDS = 8
    job = queued_job(1)
    waits = []
    for _ in range(2):
        services.fail_chunk(lease=claim(), reason="out of memory", can_pass=True)
        chunk = IRIChunk.objects.get()
        assert not IRIChunk.objects.claimable().exists()
        changed = job.history.order_by("-pk")[0]
        assert chunk.not_before is not None
        waits.append(round((chunk.not_before - changed.at).total_seconds()))
        IRIChunk.objects.update(not_before=Now() - timedelta(seconds=1))
    assert waits == [8, 16]
    assert history(job)[2] == ("chunk", "running → queued", "out of memory")


def test_no_back_off_is_longer_than_ten_minutes(settings: Any) -> None:
    settings.IRI_MAX_ATTEMPTS, settings.IRI_BACKOFF_SECONDS = 100, 10
    queued_job(1)
    lease = claim()
    IRIChunk.objects.update(fruitless=40)
    services.fail_chunk(lease=lease, reason="out of memory", can_pass=True)
    waits = IRIChunk.objects.filter(not_before__lt=Now() + timedelta(seconds=601))
    assert waits.count() == 1


def test_memory_that_ran_out_halves_the_batch_of_the_next_attempt() -> None:
    queued_job(4)
    services.fail_chunk(lease=claim(), reason="out of memory", can_pass=True, batch_size=2)
    assert IRIChunk.objects.get().batch_size == 2


def test_attempts_are_counted_anew_when_a_chunk_gets_further(settings: Any) -> None:
    settings.IRI_MAX_ATTEMPTS, settings.IRI_BACKOFF_SECONDS = 2, 0
    queued_job(3)
    for place in range(3):
        lease = claim()
        services.record_iri(lease=lease, found=found(lease.chunk.iris.filter(status="running")[0]))
        services.fail_chunk(lease=lease, reason=f"no {place}", can_pass=True)
    assert IRIChunk.objects.get().attempts == 3
    assert IRIChunk.objects.claimable().exists() is True


def test_a_chunk_put_off_waits_and_the_attempt_does_not_count(settings: Any) -> None:
    job = queued_job(1)
    services.put_off_chunk(lease=claim(), reason="the image store: No space left on device")
    chunk = IRIChunk.objects.get()
    assert (chunk.status, chunk.attempts, chunk.fruitless) == ("queued", 0, 0)
    assert not IRIChunk.objects.claimable().exists()
    assert history(job)[-1][2] == "the image store: No space left on device"


def test_a_pause_stops_heartbeats_consent_and_a_resume_gives_it_back() -> None:
    job = queued_job(1)
    lease = claim()
    assert services.heartbeat(lease=lease) == ""
    assert services.pause_job(job=job, by="ada")
    assert not services.pause_job(job=job, by="ada")
    assert services.heartbeat(lease=lease) == "the job is paused"
    services.release_chunk(lease=lease, reason="the job is paused")
    assert not IRIChunk.objects.claimable().exists()
    assert services.resume_job(job=job, by="ada")
    assert not services.resume_job(job=job, by="ada")
    assert IRIChunk.objects.claimable().exists()
    assert ("job", "running → running", "paused") in history(job)
    assert [change.by for change in job.history.filter(chunk=None)[1:]] == ["ada", "ada"]


def test_a_priority_is_changed_once_and_noted() -> None:
    first, second = queued_job(1, slug="first"), queued_job(1, slug="second")
    assert services.prioritise_job(job=second, priority=5, by="ada")
    assert not services.prioritise_job(job=second, priority=5, by="ada")
    assert claim().chunk.job == second
    assert history(second)[0] == ("job", "queued → queued", "priority 0 → 5")
    assert claim().chunk.job == first


def test_a_cancelled_job_stays_cancelled_and_a_finished_one_cannot_be() -> None:
    job = queued_job(2)
    assert services.cancel_job(job=job, by="ada")
    assert not services.cancel_job(job=job, by="ada")
    assert history(job) == [
        ("chunk", "queued → cancelled", ""),
        ("job", "queued → cancelled", ""),
    ]
    done = finish(queued_job(2, slug="done"))
    assert not services.cancel_job(job=done)
    assert set(done.iris.values_list("status", flat=True)) == {IRIStatus.DONE}
    assert IRIJob.objects.get(pk=done.pk).cancelled_at is None


@pytest.mark.parametrize("to", list(JOB_BEFORE))
def test_no_job_moves_where_it_may_not(to: str) -> None:
    job = queued_job(1)
    for before in set(JobStatus.values) - set(JOB_BEFORE[to]):
        IRIJob.objects.update(status=before)
        assert not move_job(job.pk, to)
        assert status(job) == before
    assert not StateChange.objects.exists()


def test_no_chunk_moves_where_it_may_not() -> None:
    finish(queued_job(1))
    n_changes = StateChange.objects.count()
    for to in ("queued", "running", "failed", "cancelled", "finished"):
        assert move_chunks(IRIChunk.objects.all(), to) == 0
    assert StateChange.objects.count() == n_changes


def test_a_job_that_nobody_ended_is_ended_by_the_sweep() -> None:
    job = finish(queued_job(1))
    IRIJob.objects.update(status=JobStatus.RUNNING)
    settle_jobs()
    assert status(job) == JobStatus.FINISHED


@pytest.mark.django_db(transaction=True)
def test_the_last_two_chunks_may_end_at_once(broker: object, settings: Any) -> None:
    settings.IRI_CHUNK_SIZE = 1
    job = queued_job(8)
    leases = [claim(by=f"iri@{number}") for number in range(8)]
    for lease in leases:
        services.record_iri(lease=lease, found=found(lease.chunk.iris.get()))

    def end(lease: services.ChunkLease) -> None:
        try:
            services.finish_chunk(lease=lease)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(end, leases))
    assert status(job) == JobStatus.FINISHED
    assert job.history.filter(after=JobStatus.FINISHED, chunk=None).count() == 1


# Queues by device and memory ------------------------------------------------------------------------------


def test_chunks_that_need_more_memory_wait_for_a_worker_that_has_it() -> None:
    small = services.announce_worker(name="small", host="", device="cuda", memory_bytes=8 * 2**30, queues=[])
    large = services.announce_worker(name="large", host="", device="cuda", memory_bytes=80 * 2**30, queues=[])
    job = queued_job(2, queue="iri.gpu", min_memory_gib=24)
    assert job.broker_queue == "iri.gpu.24g"
    assert services.claim_chunk(worker=small, queue="iri.gpu") is None
    assert services.claim_chunk(worker=large, queue="iri.cpu") is None
    assert services.claim_chunk(worker=large, queue="iri.gpu") is not None


def test_memory_that_is_no_queue_is_refused() -> None:
    with pytest.raises(services.QueueRefused, match="the memory asked for is 12 GiB; allowed: 0, 8, 16, 24"):
        queued_job(1, min_memory_gib=12)


def test_a_worker_gives_way_to_what_is_more_urgent() -> None:
    queued_job(1, slug="slow")
    held = claim()
    urgent = queued_job(1, slug="urgent")
    IRIChunk.objects.filter(job=urgent).update(created_at=Now() - timedelta(seconds=5))
    assert services.heartbeat(lease=held) == ""
    services.prioritise_job(job=urgent, priority=1, by="ada")
    assert services.heartbeat(lease=held) == "a chunk of higher priority waits"
    services.release_chunk(lease=held, reason="a chunk of higher priority waits")
    taken = claim()
    assert taken.chunk.job == urgent
    assert services.heartbeat(lease=taken) == ""


def test_only_the_least_urgent_and_youngest_gives_way(settings: Any) -> None:
    settings.IRI_CHUNK_SIZE = 1
    queued_job(2, slug="slow")
    first, second = claim(by="iri@one"), claim(by="iri@two")
    urgent = queued_job(1, slug="urgent", priority=5)
    assert services.heartbeat(lease=second) == ""  # a free worker may take it yet
    IRIChunk.objects.filter(job=urgent).update(created_at=Now() - timedelta(seconds=5))
    assert services.heartbeat(lease=first) == ""
    assert services.heartbeat(lease=second) == "a chunk of higher priority waits"


def test_who_lacks_the_memory_does_not_give_way() -> None:
    queued_job(1, slug="slow")
    held = claim()
    urgent = queued_job(1, slug="urgent", priority=5, min_memory_gib=80)
    IRIChunk.objects.filter(job=urgent).update(created_at=Now() - timedelta(seconds=5))
    assert services.heartbeat(lease=held) == ""


def test_a_worker_that_starts_anew_leaves_what_its_name_held() -> None:
    job = queued_job(1)
    former = claim()
    assert not IRIChunk.objects.claimable().exists()
    assert services.end_former_leases(worker=Worker.objects.get(name="iri@here")) == 1
    assert claim().token == former.token + 1
    assert "taken over from this worker's former process" in history(job)[-1][2]
    with pytest.raises(services.LeaseLost):
        services.finish_chunk(lease=former)


def test_a_job_that_has_ended_is_not_paused() -> None:
    job = finished_job(1)
    assert not services.pause_job(job=job)
    assert "paused" not in [reason for _, _, reason in history(job)]


@pytest.mark.parametrize("priority", [-1001, 1001, 10**11])
def test_a_priority_out_of_range_is_refused(priority: int) -> None:
    job = queued_job(1)
    with pytest.raises(services.QueueRefused, match="allowed: -1000 to 1000"):
        services.prioritise_job(job=job, priority=priority)
    with pytest.raises(services.QueueRefused, match=f"the priority is {priority}"):
        queued_job(1, slug="other", priority=priority)


def test_a_cancelled_job_says_which_one_makes_its_iris() -> None:
    job = queued_job(2)
    services.cancel_job(job=job)
    (again,) = services.queue_pairs(
        layers=[job.layer], recipe=job.recipe, image_set=job.image_set, rng_seed=job.rng_seed
    )
    assert again.pk != job.pk
    assert history(job)[-1][2] == f"job {again.pk} makes its 2 missing IRIs"
