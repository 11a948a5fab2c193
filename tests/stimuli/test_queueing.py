"""Queueing pairs: the rows are the queue, and asking twice asks once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from survey_site.stimuli import services
from survey_site.stimuli.models import IRI, ChunkStatus, ImageSet, IRIChunk, IRIJob, IRIStatus, Network
from survey_site.stimuli.services.queueing import iri_seed
from tests.builders import (
    add_images,
    claim,
    finish,
    image_set,
    layer,
    network,
    queued_job,
    recipe,
    superuser,
    worker,
)

pytestmark = pytest.mark.django_db


def again(job: IRIJob, **options: object) -> IRIJob:
    """Queue the same pair once more."""
    (found,) = services.queue_pairs(
        layers=[job.layer],
        recipe=job.recipe,
        image_set=job.image_set,
        rng_seed=job.rng_seed,
        **options,  # type: ignore[arg-type]
    )
    return found


def test_every_pair_becomes_a_job_with_an_iri_for_each_image_in_chunks_of_the_set_size() -> None:
    made = network()
    jobs = services.queue_pairs(
        layers=[layer(made, "fc"), layer(made, "conv")], recipe=recipe(), image_set=image_set(10)
    )
    assert [job.layer.name for job in jobs] == ["fc", "conv"]
    for job in jobs:
        assert [chunk.iris.count() for chunk in job.chunks.all()] == [8, 2]
        assert set(job.iris.values_list("status", flat=True)) == {IRIStatus.QUEUED}


def test_queueing_the_same_again_finds_the_same_rows() -> None:
    job = queued_job(4)
    before = set(IRI.objects.values_list("pk", "chunk"))
    assert again(job) == job
    assert set(IRI.objects.values_list("pk", "chunk")) == before
    finish(job)
    again(job)
    assert set(job.iris.values_list("status", flat=True)) == {IRIStatus.DONE}
    assert IRIChunk.objects.count() == 1


def test_images_that_are_new_in_the_set_are_added() -> None:
    job = finish(queued_job(3))
    add_images(job.image_set, range(3, 5))
    again(job)
    assert sorted(job.iris.values_list("status", flat=True)) == ["done"] * 3 + ["queued"] * 2
    assert [chunk.iris.count() for chunk in job.chunks.filter(status=ChunkStatus.QUEUED)] == [2]


def test_what_failed_is_queued_again_and_what_is_done_stays() -> None:
    job = queued_job(3)
    lease = claim()
    IRI.objects.filter(pk=lease.chunk.iris.all()[0].pk).update(status=IRIStatus.FAILED, reason="odd")
    services.fail_chunk(lease=lease, reason="out of memory", can_pass=False)
    assert set(job.iris.values_list("status", flat=True)) == {IRIStatus.FAILED}
    again(job)
    assert set(job.iris.values_list("status", "reason")) == {(IRIStatus.QUEUED, "")}
    finish(job)
    assert set(job.iris.values_list("status", flat=True)) == {IRIStatus.DONE}


def test_what_was_cancelled_is_queued_again_under_a_new_job() -> None:
    job = queued_job(3)
    services.cancel_job(job=job)
    new = again(job)
    assert new != job
    assert list(new.iris.values_list("status", flat=True)) == [IRIStatus.QUEUED] * 3
    assert job.iris.count() == 0


def test_a_pair_cancelled_under_way_can_be_queued_again_at_once() -> None:
    job = queued_job(3)
    lease = claim()
    services.cancel_job(job=job)
    finish(again(job))
    assert IRI.objects.done().count() == 3
    with pytest.raises(services.LeaseLost):
        services.finish_chunk(lease=lease)


def test_another_rng_seed_is_other_iris() -> None:
    job = queued_job(3)
    (other,) = services.queue_pairs(
        layers=[job.layer], recipe=job.recipe, image_set=job.image_set, rng_seed=1
    )
    assert other != job
    assert IRI.objects.count() == 6


def test_asking_again_moves_the_job_to_the_queue_and_priority_asked_for() -> None:
    job = queued_job(3)
    again(job, queue="iri.gpu", priority=5)
    job.refresh_from_db()
    assert (job.queue, job.priority) == ("iri.gpu", 5)
    assert services.claim_chunk(worker=worker(), queue="iri.cpu") is None
    assert claim("iri.gpu").chunk.job == job


def test_the_job_remembers_who_queued_it() -> None:
    ada = superuser()
    assert queued_job(3, created_by=ada).created_by == ada


def test_an_empty_set_is_refused() -> None:
    empty = ImageSet.objects.create(slug="empty", name="Empty")
    with pytest.raises(services.QueueRefused) as refused:
        services.queue_pairs(layers=[layer(network())], recipe=recipe(), image_set=empty)
    assert str(refused.value) == "image set 'empty' has no images; import some first"


def test_a_network_that_is_not_ready_is_refused_and_nothing_is_queued() -> None:
    ready, broken = network("ready"), network("broken")
    Network.objects.filter(pk=broken.pk).update(state="failed")
    with pytest.raises(services.QueueRefused) as refused:
        services.queue_pairs(layers=[layer(ready), layer(broken)], recipe=recipe(), image_set=image_set(2))
    assert str(refused.value) == "network 'broken' is failed; only ready networks can be queued"
    assert (IRIJob.objects.count(), IRI.objects.count()) == (0, 0)


def test_an_iris_seed_follows_from_the_jobs_seed_and_the_targets_content_alone() -> None:
    one, two = image_set(2, slug="one"), image_set(2, slug="two")  # the same pictures under other ids
    first, same = one.targets.get(name="0.png"), two.targets.get(name="0.png")
    assert first.pk != same.pk
    assert iri_seed(7, first) == iri_seed(7, same)
    assert iri_seed(7, first) != iri_seed(8, first)
    assert iri_seed(7, first) != iri_seed(7, one.targets.get(name="1.png"))
    assert 0 <= iri_seed(7, first) < 2**63
    first.image.sha256 = "0" * 64
    assert iri_seed(0, first) == 3_599_643_414_634_482_514  # the same in years to come


def test_a_recipe_is_stored_once() -> None:
    assert recipe() == recipe()
    assert recipe(steps=9) != recipe()


@pytest.mark.django_db(transaction=True)
def test_two_who_queue_the_same_pair_at_once_make_one_job(broker: object) -> None:
    pair, how, images = layer(network()), recipe(), image_set(6)

    def queue(_: int) -> int:
        try:
            return services.queue_pairs(layers=[pair], recipe=how, image_set=images)[0].pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        jobs = set(pool.map(queue, range(8)))
    assert len(jobs) == IRIJob.objects.count() == 1
    assert (IRI.objects.count(), IRIChunk.objects.count()) == (6, 1)
