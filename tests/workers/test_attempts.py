"""An attempt that is cut short leaves a checkpoint, and the next one ends at the same bytes."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as site_settings
from django.db import OperationalError, connection
from kombu import Queue as BrokerQueue

from survey_site.celery import app
from survey_site.stimuli import services
from survey_site.stimuli.models import IRI, IRIChunk, IRIJob, IRIStatus, Worker
from survey_site.stimuli.storage import WholeFileStorage
from tests.builders import claim, found, image_set, queued_job, recipe, worker
from tests.workers.test_tasks import make_iris, real_job, registered
from workers import attempts, patience, tasks
from workers.attempts import Attempt, MemoryShort, attempt_chunk, shutting_down
from workers.batches import batch_of
from workers.iri import inversion
from workers.lease_keeper import LeaseKeeper
from workers.memory_queues import consume_memory_queues, memory_queues

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.torch]

STEPS = 40


@pytest.fixture(autouse=True)
def nothing_left_over(transactional_db: None, settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.IRI_BACKOFF_SECONDS = 0
    settings.MEDIA_ROOT = tmp_path
    tasks._built.cache_clear()
    yield
    shutting_down.clear()
    with redis.Redis.from_url(site_settings.CELERY_BROKER_URL) as client:
        client.flushdb()


def hashes() -> dict[Any, str]:
    return dict(IRI.objects.done().values_list("target__name", "image__sha256"))


def forget_the_iris() -> None:
    IRI.objects.update(status=IRIStatus.FAILED)
    job = IRIJob.objects.get()
    services.queue_pairs(layers=[job.layer], recipe=job.recipe, image_set=job.image_set)


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is told to end when the search has taken so many steps."""
    asked = []

    def invert(*given: Any, should_stop: Callable[[], bool], **named: Any) -> None:
        def stop() -> bool:
            asked.append(1)
            if len(asked) > steps:
                shutting_down.set()
            return should_stop()

        inversion.invert_each(*given, should_stop=stop, **named)

    monkeypatch.setattr(tasks, "invert_each", invert)


@pytest.fixture
def undisturbed() -> dict[Any, str]:
    """What the job's images are when nothing happens; the job waits again."""
    real_job(3, steps=STEPS)
    make_iris()
    made = hashes()
    assert len(made) == 3
    forget_the_iris()
    return made


def test_a_worker_told_to_end_leaves_a_checkpoint_and_the_next_ends_at_the_same_bytes(
    undisturbed: dict[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stop_after(17, patched)
        make_iris()
    chunk = IRIChunk.objects.open().get()
    assert (chunk.status, chunk.attempts, chunk.reason) == ("queued", 0, "the worker shut down")
    assert chunk.checkpoint_at is not None
    state = batch_of(chunk).state
    assert state is not None
    assert state["steps"] == 17
    shutting_down.clear()
    make_iris()
    assert hashes() == undisturbed
    assert IRIChunk.objects.get(pk=chunk.pk).checkpoint.name == ""


def test_checkpoints_are_kept_at_an_interval_and_count_as_getting_further(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.IRI_CHECKPOINT_SECONDS = 0
    saved: list[int] = []

    def save(*, lease: services.ChunkLease, data: bytes) -> None:
        services.save_checkpoint(lease=lease, data=data)
        saved.append(IRIChunk.objects.get().fruitless)

    real_job(2, steps=5)
    with monkeypatch.context() as patched:
        patched.setattr(tasks, "services", _Instead(services, save_checkpoint=save))
        make_iris()
    assert len(saved) == 5
    assert set(saved) == {0}


class _Instead:
    def __init__(self, module: Any, **names: Any) -> None:
        self._module = module
        self.__dict__.update(names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


@pytest.mark.parametrize("spoil", ["broken", "missing", "of another version", "of another search"])
def test_a_checkpoint_that_is_of_no_use_begins_anew_and_ends_at_the_same_bytes(
    undisturbed: dict[Any, str], spoil: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patched:
        stop_after(17, patched)
        if spoil == "of another version":
            patched.setattr("workers.batches.VERSION", 0)
        if spoil == "of another search":
            patched.setattr("workers.iri.search.STATE_VERSION", 0)
        make_iris()
    shutting_down.clear()
    path = Path(IRIChunk.objects.open().get().checkpoint.path)
    if spoil == "broken":
        path.write_bytes(path.read_bytes()[:500])
    if spoil == "missing":
        path.unlink()
    make_iris()
    assert hashes() == undisturbed
    assert "begins anew" in caplog.text


def test_the_batch_of_a_chunk_without_a_checkpoint_is_all_of_it() -> None:
    """So that a worker killed after the first image, and before a checkpoint, ends at the same bytes."""
    queued_job(3)
    lease = claim()
    first, *_ = lease.chunk.iris.order_by("pk")
    services.record_iri(lease=lease, found=found(first))
    batch = batch_of(lease.chunk)
    assert [iri.pk for iri in batch.iris] == sorted(iri.pk for iri in lease.chunk.iris.all())
    assert (batch.size, batch.n_missing, batch.state) == (3, 2, None)
    lease.chunk.batch_size = 1
    assert batch_of(lease.chunk).size == 1


def test_no_checkpoint_is_written_under_a_lost_lease() -> None:
    queued_job(1)
    lease = claim()
    IRIChunk.objects.update(fencing_token=9)
    with pytest.raises(services.LeaseLost):
        services.save_checkpoint(lease=lease, data=b"late")
    assert IRIChunk.objects.get().checkpoint.name == ""
    assert services.find_orphans(older_than=timedelta(days=-1)).files == []


# What is away, and what runs out -------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SHORTEST_PAUSE", 0)
    monkeypatch.setattr(patience, "LONGER_BY", 0)


def refuse(times: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The image store refuses so many images; those that it was offered."""
    really, offered = WholeFileStorage._save, []

    def save(self: WholeFileStorage, name: str, content: Any) -> str:
        if name.startswith("images/"):
            offered.append(name)
            if len(offered) <= times:
                raise OSError(errno.ENOSPC, "No space left on device")
        return really(self, name, content)

    monkeypatch.setattr(WholeFileStorage, "_save", save)
    return offered


@pytest.mark.usefixtures("quick")
def test_a_full_store_is_waited_for_and_nothing_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    job = real_job(2)
    offered = refuse(3, monkeypatch)
    make_iris()
    assert len(offered) > 3
    assert job.iris.done().count() == 2
    assert IRIChunk.objects.get().attempts == 1


def test_a_store_that_takes_nothing_keeps_the_worker_from_claiming(monkeypatch: pytest.MonkeyPatch) -> None:
    job = queued_job(1)
    me = worker()

    def refuse_all(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(WholeFileStorage, "_save", refuse_all)
        attempt_chunk(worker=me, queue="iri.cpu", make_chunk=_never)
    assert Worker.objects.get(pk=me.pk).trouble == "the image store: [Errno 28] No space left on device"
    assert job.chunks.get().attempts == 0
    made: list[Attempt] = []
    attempt_chunk(worker=me, queue="iri.cpu", make_chunk=made.append)
    assert Worker.objects.get(pk=me.pk).trouble == ""
    assert len(made) == 1


def _never(_: Attempt) -> None:
    pytest.fail("nothing may be claimed")


def ended(error: Exception) -> IRIChunk:
    """The chunk after an attempt in which this was raised."""
    queued_job(1)

    def fail(_: Attempt) -> None:
        raise error

    attempt_chunk(worker=worker(), queue="iri.cpu", make_chunk=fail)
    return IRIChunk.objects.get()


def test_a_database_that_was_away_is_nobodys_failure() -> None:
    chunk = ended(OperationalError("server closed the connection unexpectedly"))
    assert (chunk.status, chunk.attempts) == ("queued", 0)
    assert chunk.reason == "the database is away: server closed the connection unexpectedly"


def test_a_missing_file_is_the_chunks_own_trouble_and_counts() -> None:
    chunk = ended(services.StoreTrouble("the image store: no such file"))
    assert (chunk.status, chunk.attempts) == ("queued", 1)
    assert chunk.reason.startswith("Traceback")


def test_memory_that_runs_out_halves_the_batch() -> None:
    chunk = ended(MemoryShort("CUDA out of memory", 4))
    assert (chunk.status, chunk.batch_size, chunk.attempts) == ("queued", 4, 1)


def test_out_of_memory_in_a_search_is_told_from_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    real_job(4)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail] can't allocate memory: you tried to allocate 99 bytes")

    with monkeypatch.context() as patched:
        patched.setattr(tasks, "invert_each", fail)
        for size in (2, 1):
            make_iris()
            assert IRIChunk.objects.get().batch_size == size
    make_iris()
    assert len(hashes()) == 4


@pytest.mark.usefixtures("quick")
def test_whoever_is_told_to_stop_does_not_wait() -> None:
    def check() -> None:
        raise patience.Interrupted("the worker shut down")

    def fail() -> None:
        raise services.StoreTrouble("full")

    noted: list[str] = []
    with pytest.raises(patience.Interrupted):
        patience.patiently(fail, check=check, noting=noted.append)
    assert noted == []


def test_a_paused_job_gets_its_chunk_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.lease_keeper.LONGEST_PAUSE", 0.02)
    job = queued_job(1)

    def work(attempt: Attempt) -> None:
        services.pause_job(job=job)
        while not attempt.should_stop():
            connection.close()
        attempt.check()

    attempt_chunk(worker=worker(), queue="iri.cpu", make_chunk=work)
    chunk = IRIChunk.objects.get()
    assert (chunk.status, chunk.attempts, chunk.reason) == ("queued", 0, "the job is paused")


def test_why_to_stop_is_said_in_words() -> None:
    queued_job(1)
    attempt = Attempt(claim(), LeaseKeeper(claim_of_nothing()))
    assert attempt.stop_reason == ""
    attempts.shutting_down.set()
    assert attempt.stop_reason == "the worker shut down"


def claim_of_nothing() -> services.ChunkLease:
    return services.ChunkLease(chunk=IRIChunk(), token=0)


# Queues by memory -----------------------------------------------------------------------------------------


def test_a_worker_hears_the_queues_that_its_memory_allows() -> None:
    assert memory_queues("iri.gpu", 25 * 2**30) == ["iri.gpu.8g", "iri.gpu.16g", "iri.gpu.24g"]
    queues = app.amqp.Queues([BrokerQueue("iri.gpu")])
    queues.select(["iri.gpu"])
    consume_memory_queues(queues, 9 * 2**30)
    assert sorted(queues.consume_from) == ["iri.gpu", "iri.gpu.8g"]
    assert queues["iri.gpu.8g"].exchange.name == "iri.gpu.8g"


# A sample measured again ----------------------------------------------------------------------------------


def test_a_worker_measures_a_sample_again_and_agrees() -> None:
    network = registered()
    services.queue_pairs(
        layers=[network.layers.get(name="features.3")], recipe=recipe(steps=3), image_set=image_set(2)
    )
    make_iris()
    checks = services.ask_for_checks(sample=2, seed=0)
    tasks.check_iris.apply(throw=True)
    for check in checks:
        check.refresh_from_db()
        assert (check.status, check.reason) == ("agrees", "")
        assert check.relative_error == pytest.approx(check.iri.relative_error, rel=1e-6)
