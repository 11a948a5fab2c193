"""Recipes that need more than a network, through a worker's task: a pool of natural images, LPIPS trunks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, IRIChunk, IRIJob
from tests.builders import image_set
from tests.workers.test_tasks import make_iris, nothing_left_over, registered, stored
from workers.iri.images import fit, to_png
from workers.iri.recipe import Recipe, Start, Term, preset
from workers.iri.vision import import_torchvision
from workers.pools import pool_of

__all__ = ["nothing_left_over"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.torch]


def job_of(recipe: Recipe, images: ImageSet) -> IRIJob:
    row = services.store_recipe(recipe=recipe, name="mine")
    layer = registered().layers.get(name="features.3")
    (job,) = services.queue_pairs(layers=[layer], recipe=row, image_set=images)
    return job


def short(**changes: object) -> Recipe:
    return preset("reg_free", **{"image_size": 32, "steps": 2, "finish_below": None, **changes})


def test_a_natural_start_comes_from_the_whole_set_by_class() -> None:
    images = image_set(4)
    for target, label in zip(images.targets.all(), ("cat", "cat", "dog", "dog"), strict=True):
        target.label = label
        target.save()
    job = job_of(short(start=Start("natural", choice="other_class")), images)
    make_iris()
    pixels = {to_png(fit(stored(target.image), 32)): target.label for target in images.targets.all()}
    for iri in job.iris.select_related("start_image", "target"):
        assert iri.start_image is not None, iri.reason
        assert pixels[stored(iri.start_image)] != iri.target.label


def test_a_set_without_labels_fails_with_the_reason() -> None:
    job = job_of(short(start=Start("natural")), image_set(2))
    make_iris()
    chunk = IRIChunk.objects.get(job=job)
    assert chunk.status == "failed"
    assert chunk.reason.startswith("the target has no label in the pool, so 'other_class' can't be told")


def test_no_image_is_read_where_no_start_is_chosen() -> None:
    assert pool_of(IRIJob(), short()) is None


@pytest.fixture
def no_trunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "nothing"))
    for trunk in ("ALEX", "VGG", "SQUEEZE"):
        monkeypatch.delenv(f"IRI_LPIPS_{trunk}", raising=False)


def squeeze_recipe() -> Recipe:
    return short(objective=(Term(), Term("perceptual", -1.0, trunk="squeeze", scale="measured")))


def test_a_trunk_that_the_worker_lacks_fails_the_chunk_with_the_reason(no_trunks: None) -> None:
    job = job_of(squeeze_recipe(), image_set(2))
    make_iris()
    chunk = IRIChunk.objects.get(job=job)
    assert (chunk.status, chunk.attempts) == ("failed", 1)
    assert chunk.reason.startswith(
        "LPIPS on squeeze needs the ImageNet weights of torchvision's squeezenet1_1, which are not on"
    )


def test_an_iri_names_the_lpips_that_it_was_made_by(
    no_trunks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = import_torchvision().models.get_model("squeezenet1_1", weights=None)
    save_file(network.state_dict(), tmp_path / "squeeze.safetensors")
    monkeypatch.setenv("IRI_LPIPS_SQUEEZE", str(tmp_path / "squeeze.safetensors"))
    job = job_of(squeeze_recipe(), image_set(1))
    make_iris()
    (iri,) = job.iris.all()
    assert iri.status == "done", iri.reason
    (trunk,) = iri.provenance["lpips"]
    assert (trunk["trunk"], trunk["heads"]) == ("squeezenet1_1", "lpips 0.1 squeeze")
    assert trunk["heads_sha256"].startswith("4a5350f23600cb79")
