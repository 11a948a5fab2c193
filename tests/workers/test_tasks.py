"""A worker's task: from a claimed chunk to stored IRIs, or to a reason why not."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import torch
from django.conf import settings as site_settings
from django.core.files.base import ContentFile
from django.db import InterfaceError, OperationalError, transaction
from django.db.models.functions import Now
from PIL import Image

from survey_site.stimuli import services
from survey_site.stimuli.models import (
    IRI,
    ChunkStatus,
    IRIChunk,
    IRIJob,
    IRIStatus,
    Network,
    NullDistribution,
    Worker,
)
from tests.builders import claim, image_set, queued_job, recipe
from workers import lease_keeper, measuring, presence, tasks
from workers.attempts import Attempt, shutting_down
from workers.iri import batch_size, inversion
from workers.iri.recipe import Passing, preset
from workers.lease_keeper import LeaseKeeper
from workers.measuring import Measurer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.torch]


@pytest.fixture(autouse=True)
def nothing_left_over(transactional_db: None, settings: Any) -> Iterator[None]:
    """No ring of another test, no network under an id used again, nobody shutting down, no waiting."""
    settings.IRI_BACKOFF_SECONDS = 0
    tasks._built.cache_clear()
    yield
    shutting_down.clear()
    with redis.Redis.from_url(site_settings.CELERY_BROKER_URL) as client:
        client.flushdb()


def registered(**changes: Any) -> Network:
    made = services.register_network(
        **{
            "slug": "tiny",
            "name": "Tiny",
            "source": "torchvision",
            "architecture": "squeezenet1_1",
            "random_seed": 1,
            "num_classes": 10,
            "input_size": 64,
            **changes,
        }
    )
    tasks.inspect_network(made.pk)
    made.refresh_from_db()
    return made


def real_job(n: int = 2, *, layer: str = "features.3", steps: int = 3) -> IRIJob:
    """A pair of a real network at 32 pixels, a few steps long."""
    network = registered()
    (job,) = services.queue_pairs(
        layers=[network.layers.get(name=layer)], recipe=recipe(steps=steps), image_set=image_set(n)
    )
    return job


def make_iris() -> None:
    """As Celery calls it, in this process."""
    tasks.make_iris.apply(args=("iri.cpu",), throw=True)


def stored(image: Any) -> bytes:
    with image.file.open("rb") as file:
        return bytes(file.read())


def statuses(job: IRIJob) -> set[str]:
    return set(job.iris.values_list("status", flat=True))


def test_an_inspection_lists_the_layers_and_takes_the_hash_of_the_weights() -> None:
    network = registered()
    assert (network.state, network.input_size, len(network.weights_sha256)) == ("ready", 64, 64)
    layers = list(network.layers.all())
    assert [layer.depth for layer in layers] == list(range(len(layers)))
    assert network.layers.get(name="features.3").output_shape == [128, 15, 15]
    assert [layer.role for layer in layers if layer.role in ("pooled", "logits")] == ["logits"]


def test_a_network_that_cannot_be_built_fails_with_the_reason() -> None:
    network = registered(architecture="squeezenet1_2")
    assert network.state == "failed"
    assert network.state_reason.startswith(
        "torchvision has no architecture 'squeezenet1_2'; nearest: squeezenet1"
    )


def test_weights_that_do_not_fit_fail_with_the_reason() -> None:
    network = registered(random_seed=None, weights=ContentFile(b"no tensors", name="mine.safetensors"))
    assert network.state == "failed"
    assert network.state_reason


def test_an_odd_error_of_a_networks_own_code_is_a_reason_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(*_: object) -> None:
        raise TypeError("mean must be three numbers")

    monkeypatch.setattr(tasks, "build", odd)
    assert registered().state_reason == "mean must be three numbers"


def test_a_network_deleted_meanwhile_is_nobodys_concern() -> None:
    tasks.inspect_network(12345)


def test_a_chunk_becomes_iris_with_everything_that_made_them() -> None:
    job = real_job(2)
    make_iris()
    chunk = IRIChunk.objects.get()
    assert (chunk.status, chunk.reason, chunk.attempts) == (ChunkStatus.FINISHED, "", 1)
    for iri in job.iris.with_images():
        images = {"image": iri.image, "start": iri.start_image, "target": iri.target_resized}
        for name, image in images.items():
            assert image is not None
            picture = Image.open(io.BytesIO(stored(image)))
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (32, 32))
            assert (image.width, image.height) == (32, 32)
            digest = hashlib.sha256(stored(image)).hexdigest()
            assert digest == image.sha256 == iri.provenance[f"{name}_sha256"]
        assert iri.status == IRIStatus.DONE
        assert iri.relative_error is not None
        assert 0 < iri.relative_error < 1.5
        assert -1 <= (iri.cosine or 0) <= 1
        assert iri.passed is (iri.passed_reason == "")
        assert iri.target_label.startswith("class ")
        assert iri.same_label is (iri.target_label == iri.iri_label)
        assert set(iri.measures) == {
            "pearson", "spearman", "snr_db", "clip_fraction", "distance_moved", "plateau", "limits", "later"
        }  # fmt: skip
        assert iri.measures["distance_moved"] > 0
        assert [step for step, _ in iri.loss_trace] == [0, 1, 2, 3]
        assert iri.finished_at is not None


def test_provenance_says_what_it_takes_to_make_an_iri_again() -> None:
    job = real_job(2)
    make_iris()
    iri = job.iris.all()[0]
    assert iri.provenance["recipe"] == job.recipe.sha256
    assert iri.provenance["rng_seed"] == iri.rng_seed
    assert iri.provenance["network"]["weights_sha256"] == job.layer.network.weights_sha256
    assert iri.provenance["network"]["architecture"] == "squeezenet1_1"
    assert iri.provenance["batch"] == sorted(str(pk) for pk in job.iris.values_list("pk", flat=True))
    assert iri.provenance["steps_run"] == 3
    for name in ("torch", "torchvision", "code", "device", "threads", "platform"):
        assert iri.provenance[name], name


def test_the_same_chunk_made_again_gives_the_same_images() -> None:
    job = real_job(2)
    make_iris()
    first = dict(job.iris.values_list("pk", "image__sha256"))
    IRI.objects.update(status=IRIStatus.FAILED)
    services.queue_pairs(layers=[job.layer], recipe=job.recipe, image_set=job.image_set)
    make_iris()
    assert dict(job.iris.values_list("pk", "image__sha256")) == first


def test_no_work_is_no_error_and_the_worker_announces_itself() -> None:
    make_iris()
    (worker,) = Worker.objects.all()
    assert worker.device.startswith("cpu")
    assert worker.memory_bytes
    fed = worker.architectures["torchvision"]["squeezenet1_1"]
    assert fed == {
        "input_size": 224, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "pretrained": False
    }  # fmt: skip
    assert worker.architectures["package"]["efficientnet_lite1"]["pretrained"]


def test_a_worker_that_shuts_down_gives_its_chunk_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inversion, "REPORT_SECONDS", 0)
    job = real_job(1, steps=5)
    shutting_down.set()
    make_iris()
    chunk = IRIChunk.objects.get()
    assert (chunk.status, chunk.attempts, statuses(job)) == (ChunkStatus.QUEUED, 0, {IRIStatus.QUEUED})
    shutting_down.clear()
    make_iris()
    assert statuses(job) == {IRIStatus.DONE}


def lose_the_lease() -> None:
    with transaction.atomic():  # before the next heartbeat renews it
        IRIChunk.objects.update(lease_until=Now() - timedelta(seconds=1))
        claim(by="iri@successor")


def cancel() -> None:
    services.cancel_job(job=IRIJob.objects.get())


@pytest.mark.parametrize("loss", [lose_the_lease, cancel])
def test_a_worker_whose_lease_is_lost_stops_and_records_nothing(
    loss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heartbeat notices, the descent stops, and nothing of the successor's is touched."""
    monkeypatch.setattr(inversion, "REPORT_SECONDS", 0)
    monkeypatch.setattr(lease_keeper, "LONGEST_PAUSE", 0.02)
    real_job(1, steps=100_000)
    began = threading.Event()

    def lose_and_ask(should_stop: Callable[[], bool]) -> bool:
        if not began.is_set():
            began.set()
            loss()
        return should_stop()

    def invert(*given: Any, should_stop: Callable[[], bool], **named: Any) -> None:
        inversion.invert_each(*given, should_stop=lambda: lose_and_ask(should_stop), **named)

    monkeypatch.setattr(tasks, "invert_each", invert)
    make_iris()
    assert began.is_set()
    iri, chunk = IRI.objects.get(), IRIChunk.objects.get()
    assert iri.image is None
    expected = ("cancelled", "cancelled", 1) if loss is cancel else ("running", "running", 2)
    assert (iri.status, chunk.status, chunk.attempts) == expected


def test_a_lease_lost_at_the_last_moment_records_nothing() -> None:
    real_job(1)
    lease = claim()
    lose_the_lease()
    with pytest.raises(services.LeaseLost):
        tasks.make_chunk(Attempt(lease, LeaseKeeper(lease)))
    assert IRI.objects.get().image is None


def test_an_unknown_layer_fails_with_the_nearest_names_and_is_not_tried_again() -> None:
    job = real_job(1)
    job.layer.name = "features.33"
    job.layer.save()
    make_iris()
    chunk = IRIChunk.objects.get()
    assert (chunk.status, chunk.attempts) == (ChunkStatus.FAILED, 1)
    assert "'features.33'" in chunk.reason
    assert "features.3" in chunk.reason.replace("'features.33'", "")
    assert "Traceback" not in chunk.reason
    assert set(job.iris.values_list("status", "reason")) == {(IRIStatus.FAILED, chunk.reason)}


def test_an_unexpected_error_is_tried_again_with_its_traceback_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = real_job(1)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(tasks, "invert_each", fail)
        make_iris()
    chunk = IRIChunk.objects.get()
    assert (chunk.status, chunk.attempts, statuses(job)) == (ChunkStatus.QUEUED, 1, {IRIStatus.QUEUED})
    assert chunk.reason.startswith("Traceback")
    assert chunk.reason.endswith("RuntimeError: CUDA out of memory\n")
    make_iris()
    assert statuses(job) == {IRIStatus.DONE}
    assert IRIChunk.objects.get().reason == ""


def test_what_one_attempt_recorded_the_next_does_not_make_again(monkeypatch: pytest.MonkeyPatch) -> None:
    job = real_job(3)
    recorded: list[Any] = []

    def record_one(*, lease: services.ChunkLease, found: services.FoundIRI) -> None:
        if recorded:
            raise OSError("the disk is full")
        recorded.append(found.iri_id)
        services.record_iri(lease=lease, found=found)

    with monkeypatch.context() as patched:
        patched.setattr(tasks, "services", Instead(services, record_iri=record_one))
        make_iris()
    (done,) = job.iris.done()
    make_iris()
    assert statuses(job) == {IRIStatus.DONE}
    done_again = job.iris.get(pk=done.pk)
    assert done_again.finished_at == done.finished_at
    assert [len(iri.provenance["batch"]) for iri in job.iris.exclude(pk=done.pk)] == [3, 3]


class Instead:
    """A module with some names replaced."""

    def __init__(self, module: Any, **names: Any) -> None:
        self._module = module
        self.__dict__.update(names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def test_a_final_error_under_a_lost_lease_stays_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    real_job(1)

    def fail(*_: object, **__: object) -> None:
        lose_the_lease()
        raise ValueError("late")

    monkeypatch.setattr(tasks, "invert_each", fail)
    make_iris()
    assert IRIChunk.objects.get().reason == ""


@pytest.mark.parametrize("error", [OperationalError("away"), InterfaceError("connection already closed")])
def test_the_heartbeat_survives_a_database_that_is_away_for_a_beat(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_keeper, "LONGEST_PAUSE", 0.02)
    queued_job(1)
    lease = claim()
    beats: list[int] = []

    def heartbeat(**given: Any) -> str:
        beats.append(1)
        if len(beats) == 1:
            raise error
        return services.heartbeat(**given)

    monkeypatch.setattr(lease_keeper, "services", Instead(services, heartbeat=heartbeat))
    with LeaseKeeper(lease) as keeper:
        keeper.note({"step": 4})
        until = time.monotonic() + 10
        while len(beats) < 4 and time.monotonic() < until:
            time.sleep(0.01)
    assert len(beats) >= 4
    assert not keeper.is_lost
    assert IRIChunk.objects.get().progress == {"step": 4}


@pytest.mark.parametrize("value", ["gpu", "cuda:x", "CPU 1"])
def test_a_device_that_cannot_be_is_named_with_those_allowed(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRI_DEVICE", value)
    with pytest.raises(
        SystemExit, match=f"IRI_DEVICE is '{value}'; allowed: auto, cpu, cuda, cuda:0, cuda:1"
    ):
        tasks.check_device()


def test_a_precision_that_the_device_does_not_have_stops_the_worker_at_its_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IRI_DEVICE", "cpu")
    monkeypatch.setenv("IRI_PRECISION", "tf32")
    with pytest.raises(
        SystemExit, match="IRI_PRECISION: precision is 'tf32' on cpu; allowed there: float32, bf16"
    ):
        tasks.check_device()


def test_iris_are_searched_for_in_the_precision_asked_for_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRI_PRECISION", "bf16")
    asked: list[str] = []

    def noting(*given: Any, precision: str, **named: Any) -> None:
        asked.append(precision)
        inversion.invert_each(*given, precision=precision, **named)

    monkeypatch.setattr(tasks, "invert_each", noting)
    real_job(1)
    make_iris()
    assert asked == ["bf16"]
    assert IRI.objects.get().provenance["precision"] == "bf16"


def test_a_compiler_that_is_none_stops_the_worker_at_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRI_DEVICE", "cpu")
    monkeypatch.setenv("IRI_COMPILE", "gcc")
    with pytest.raises(
        SystemExit, match="IRI_COMPILE: compiler is 'gcc'; allowed: none, inductor, aot_eager"
    ):
        tasks.check_device()


def test_iris_are_searched_for_by_compiled_passes_where_asked_for_and_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IRI_COMPILE", "aot_eager")
    asked: list[str] = []

    def noting(*given: Any, compiler: str, **named: Any) -> None:
        asked.append(compiler)
        inversion.invert_each(*given, compiler=compiler, **named)

    monkeypatch.setattr(tasks, "invert_each", noting)
    real_job(1)
    make_iris()
    assert asked == ["aot_eager"]
    assert IRI.objects.get().provenance["compiler"] == "aot_eager"


def test_a_chunk_larger_than_the_device_holds_is_searched_for_in_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_size, "MOST_ON_CPU", 1)
    asked: list[int] = []

    def noting(*given: Any, batch_size: int, **named: Any) -> None:
        asked.append(batch_size)
        inversion.invert_each(*given, batch_size=batch_size, **named)

    monkeypatch.setattr(tasks, "invert_each", noting)
    job = real_job(2)
    make_iris()
    assert asked == [1]
    assert statuses(job) == {"done"}
    assert {iri.provenance["batch_size"] for iri in job.iris.all()} == {1}


def test_the_device_is_the_cpu_where_nothing_else_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRI_DEVICE", "cpu")
    tasks.check_device()
    assert tasks.device() == "cpu"


def test_what_is_finished_is_stored_before_the_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker told to stop keeps the finished images and gives back the rest."""
    job = real_job(2)
    found: list[inversion.Found] = []

    def one_and_stop(*given: Any, on_result: Callable[[inversion.Found], None], **named: Any) -> None:
        def keep(one: inversion.Found) -> None:
            found.append(one)
            on_result(one)
            shutting_down.set()

        inversion.invert_each(*given, on_result=keep, **named | {"batch_size": 1})

    with monkeypatch.context() as patched:
        patched.setattr(tasks, "invert_each", one_and_stop)
        make_iris()
    assert len(found) == 1
    assert sorted(job.iris.values_list("status", flat=True)) == [IRIStatus.DONE, IRIStatus.QUEUED]
    assert IRIChunk.objects.get().status == ChunkStatus.QUEUED
    shutting_down.clear()
    make_iris()
    assert statuses(job) == {IRIStatus.DONE}


def test_an_image_that_cannot_be_searched_for_fails_beside_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = real_job(2)

    def spoil(*given: Any, on_result: Callable[[inversion.Found], None], **named: Any) -> None:
        def keep(one: inversion.Found) -> None:
            on_result(replace(one, failure="layer 'features.3' is dead") if one.place == 0 else one)

        inversion.invert_each(*given, on_result=keep, **named)

    monkeypatch.setattr(tasks, "invert_each", spoil)
    make_iris()
    (failed,) = job.iris.filter(status=IRIStatus.FAILED)
    assert (failed.reason, failed.image, len(failed.loss_trace)) == ("layer 'features.3' is dead", None, 4)
    assert job.iris.filter(status=IRIStatus.DONE).count() == 1
    chunk = IRIChunk.objects.get()
    assert (chunk.status, chunk.reason) == (ChunkStatus.FINISHED, "")


@contextmanager
def broken(job: IRIJob, content: bytes | None, *names: str) -> Iterator[None]:
    """The targets' files hold other bytes meanwhile, or are gone."""
    files = [target.image.file for target in job.image_set.targets.filter(name__in=names)]
    whole = [Path(file.path).read_bytes() for file in files]
    for file in files:
        Path(file.path).unlink() if content is None else Path(file.path).write_bytes(content)
    yield
    for file, data in zip(files, whole, strict=True):
        Path(file.path).write_bytes(data)


@pytest.mark.parametrize(("content", "why"), [(b"no image", "not an image"), (None, "is gone")])
def test_a_target_that_cannot_be_read_fails_alone_and_is_named(content: bytes | None, why: str) -> None:
    job = real_job(3)
    with broken(job, content, "1.png"):
        make_iris()
    (failed,) = job.iris.filter(status=IRIStatus.FAILED)
    assert failed.target.name == "1.png"
    assert failed.reason.startswith(f"target 1.png: the file {failed.target.image.file.name}")
    assert why in failed.reason
    assert job.iris.filter(status=IRIStatus.DONE).count() == 2
    job.refresh_from_db()
    assert job.status == "partly_finished"


def test_a_store_that_lacks_everything_is_away_and_nothing_fails() -> None:
    job = real_job(2)
    with broken(job, None, "0.png", "1.png"):
        make_iris()
    chunk = IRIChunk.objects.get()
    assert (chunk.status, chunk.attempts) == (ChunkStatus.QUEUED, 0)
    assert "is it mounted?" in Worker.objects.get().trouble


def test_a_null_is_of_the_images_that_can_be_read() -> None:
    job = real_job(4)
    with broken(job, b"no image", "3.png"):
        make_iris()
    assert NullDistribution.objects.get().n_images == 3


def test_a_failed_iri_is_not_written_under_a_lost_lease() -> None:
    job = real_job(1)
    lease = claim()
    lose_the_lease()
    with pytest.raises(services.LeaseLost):
        services.fail_iri(lease=lease, iri_id=job.iris.get().pk, reason="dead", loss_trace=[])
    assert job.iris.get().reason == ""


def test_iris_are_compared_with_pairs_of_their_image_set_once() -> None:
    job = real_job(4)
    services.queue_pairs(
        layers=[job.layer], recipe=recipe(steps=2), image_set=job.image_set
    )  # the same layer, images and size under another recipe
    make_iris()
    make_iris()
    (null,) = NullDistribution.objects.all()
    assert (null.n_images, null.n_pairs, null.image_size) == (4, 6, 32)
    assert set(null.measures) == {"relative_error", "cosine", "pearson", "spearman", "snr_db"}
    assert null.provenance["torch"]
    iris = IRI.objects.all()
    assert {iri.null_id for iri in iris} == {null.pk}
    assert len(iris) == 8
    least = null.measures["relative_error"]["low"]
    for iri in iris:
        assert iri.measures["limits"]["relative_error"] == least
        assert iri.passed is (iri.passed_reason == "")


def test_later_blocks_and_logits_are_measured_too() -> None:
    job = real_job(2)
    make_iris()
    later = job.iris.all()[0].measures["later"]
    assert [row["layer"] for row in later] == [
        *(f"features.{place}" for place in (4, 6, 7, 9, 10, 11, 12)), "classifier.3"
    ]  # fmt: skip
    assert set(later[-1]) == {"layer", "relative_error", "cosine", "pearson", "spearman", "snr_db"}


def test_so_many_later_layers_are_spread_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    job = real_job(1)
    monkeypatch.setattr(measuring, "MOST_LATER_LAYERS", 3)
    assert measuring.later_layers(job) == ["features.4", "features.10", "classifier.3"]


def test_a_set_of_one_image_has_no_pairs_to_compare_with() -> None:
    job = real_job(1)
    make_iris()
    iri = job.iris.get()
    assert (iri.passed, iri.null) == (False, None)
    assert "no null distribution" in iri.passed_reason


def test_a_recipe_may_compare_with_nothing() -> None:
    network = registered()
    alone = services.save_recipe(
        preset("reg_free", image_size=32, steps=2, passing=Passing(null_quantile=None)), preset="reg_free"
    )
    services.queue_pairs(layers=[network.layers.get(name="features.3")], recipe=alone, image_set=image_set(2))
    make_iris()
    assert not NullDistribution.objects.exists()
    assert {iri.measures["limits"] == {} for iri in IRI.objects.all()} == {True}


def test_a_graph_node_makes_iris_like_any_layer() -> None:
    network = registered()
    node = network.layers.get(name="flatten")
    services.queue_pairs(layers=[node], recipe=recipe(steps=2), image_set=image_set(2))
    make_iris()
    assert {iri.status for iri in IRI.objects.all()} == {IRIStatus.DONE}


def test_presence_is_noted_while_a_worker_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "BEAT_SECONDS", 0.02)
    make_iris()
    (worker,) = Worker.objects.all()
    Worker.objects.update(last_heartbeat=Now() - timedelta(hours=1))
    assert not Worker.objects.alive().exists()
    presence.Presence(worker.name).start()
    until = time.monotonic() + 10
    while not Worker.objects.alive().exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    monkeypatch.setattr(presence, "BEAT_SECONDS", 3600)


def test_images_and_the_null_are_measured_where_the_network_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with a GPU would otherwise wait for its CPU, which takes longer over it than the search."""
    job = real_job(2)

    class Asked(Exception):
        pass

    def note(*_: object, device: torch.device, **__: object) -> None:
        raise Asked(str(device))

    there = tasks._built(job.layer.network_id).on(torch.device("meta"))
    png = stored(job.image_set.targets.all()[0].image)
    for name, quantile in (("measure", None), ("null_distribution", 0.9)):
        monkeypatch.setattr(measuring, name, note)
        recipe = preset("reg_free", image_size=32, passing=Passing(null_quantile=quantile))
        measurer = Measurer(job, recipe, there, lambda: False)
        with pytest.raises(Asked, match="meta"):
            measurer.measured(image=png, start=png, target=png, trace=[])
