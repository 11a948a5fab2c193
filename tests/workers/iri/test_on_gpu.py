"""What a GPU gives is what the CPU gives, in every precision, and where its memory is short.

Skipped on a machine without one: `python -m pytest tests/workers -k on_gpu` runs these tests there.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.workers.iri.test_perceptual import network_of
from tests.workers.iri.tiny import SIZE, built, conv_net, photographs
from workers.iri.batch_size import fitting_batch_size, held_bytes
from workers.iri.extractor import respond
from workers.iri.images import from_png, to_png
from workers.iri.inversion import Inversion, InversionStopped, invert, invert_each
from workers.iri.lane import Found
from workers.iri.networks import BuiltNetwork, NetworkSpec, build
from workers.iri.nulls import null_distribution
from workers.iri.objectives import relative_error
from workers.iri.own_networks import from_module
from workers.iri.quality import measure
from workers.iri.recipe import PRESETS, Optimizer, preset
from workers.iri.search import Search, Work

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
GPU = torch.device("cuda")
POOLED = "_avg_pooling"


@pytest.fixture(scope="module")
def lite0() -> BuiltNetwork:
    """EfficientNet-Lite0 with its ImageNet weights."""
    return build(NetworkSpec("package", "efficientnet_lite0", pretrained=True))


@pytest.fixture(scope="module", autouse=True)
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    file = tmp_path_factory.mktemp("trunk") / "squeeze.safetensors"
    save_file(network_of("squeeze").state_dict(), file)
    patch = pytest.MonkeyPatch()
    patch.setenv("IRI_LPIPS_SQUEEZE", str(file))
    yield
    patch.undo()


def early_errors(found: Inversion, steps: int) -> list[float]:
    return [error for trace in found.loss_traces for _, error in trace[:steps]]


@pytest.mark.parametrize("name", [*PRESETS, "lbfgs", "sigmoid"])
def test_every_recipe_begins_as_on_the_cpu(name: str) -> None:
    recipe = preset("reg_free" if name in ("lbfgs", "sigmoid") else name)
    terms = tuple(replace(term, trunk="squeeze") if term.trunk else term for term in recipe.objective)
    recipe = replace(recipe, image_size=32, steps=20, finish_below=None, objective=terms)
    if name == "lbfgs":
        recipe = replace(recipe, optimizer=Optimizer("lbfgs", 1.0, "constant"))
    if name == "sigmoid":
        recipe = replace(recipe, parametrization="sigmoid")
    net, targets = built(conv_net()), photographs(3, 32)
    plain, there = (invert(net, "norm2", targets, recipe, range(3), device=one) for one in ("cpu", "cuda"))
    assert torch.equal(plain.start_images, there.start_images)
    assert there.failures == ("",) * 3
    assert early_errors(there, 2) == pytest.approx(early_errors(plain, 2), rel=1e-3)
    # Adam's first step has the gradient's sign, which rounding turns where the gradient is next to nothing.
    assert there.relative_errors == pytest.approx(plain.relative_errors, rel=0.1)


def test_a_whole_search_of_a_trained_network_ends_as_near_as_on_the_cpu(lite0: BuiltNetwork) -> None:
    targets, recipe = photographs(4, 64), preset("reg_free", image_size=64, finish_below=None)
    errors = []
    for device in ("cpu", "cuda"):
        found = invert(lite0, POOLED, targets, recipe, range(4), device=device)
        shown = torch.stack([from_png(to_png(image)) for image in found.images])
        errors.append([one.relative_error for one in measure(lite0, POOLED, shown, targets)])
    plain, there = errors
    assert statistics.median(there) == pytest.approx(statistics.median(plain), abs=0.03)
    assert max(there) <= 1.5 * max(plain)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
@pytest.mark.parametrize("compiler", ["none", "inductor"])
def test_every_way_to_compute_finds_what_is_judged_in_float32(precision: str, compiler: str) -> None:
    net, targets = conv_net(), photographs(3)
    recipe, limit = preset("reg_free", image_size=SIZE), 0.3
    found = invert(
        built(net),
        "norm2",
        targets,
        replace(recipe, finish_below=limit),
        range(3),
        device="cuda",
        precision=precision,
        compiler=compiler,
    )
    shown = torch.stack([from_png(to_png(image)) for image in found.images])
    errors = relative_error(respond(net, "norm2", shown), respond(net, "norm2", targets))
    assert all(error <= limit * 1.001 for error in errors.tolist())
    assert max(found.steps_run) < recipe.steps


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_the_same_batch_again_has_the_same_bytes(lite0: BuiltNetwork, precision: str) -> None:
    targets, recipe = photographs(4, 64), preset("reg_free", image_size=64, steps=60)
    one, again = (
        invert(lite0, POOLED, targets, recipe, range(4), device="cuda", precision=precision) for _ in range(2)
    )
    assert torch.equal(one.images, again.images)
    assert one.loss_traces == again.loss_traces


@contextmanager
def capped(more: int) -> Iterator[None]:
    """Within it torch may hold only so many bytes of the GPU beyond what it holds now."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(GPU).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(GPU) + more) / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def memory_of(network: BuiltNetwork, works: list[Work]) -> int:
    """The most bytes that a few steps of a search hold."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated(GPU)
    torch.cuda.reset_peak_memory_stats(GPU)
    search = Search(network, POOLED, works, batch_size=len(works), device=GPU)
    for _ in range(3):
        search.step()
    return torch.cuda.max_memory_allocated(GPU) - before


def test_memory_that_runs_out_halves_the_pass_and_loses_nothing(lite0: BuiltNetwork) -> None:
    recipe = preset("reg_free", image_size=96, steps=12, finish_below=None)
    works = [Work(target, seed, recipe) for seed, target in enumerate(photographs(64, 96))]
    needed = memory_of(lite0, works)
    plain = invert(lite0, POOLED, photographs(64, 96), recipe, range(64), batch_size=64, device=GPU)
    with capped(needed // 3):
        search = Search(lite0, POOLED, works, batch_size=64, device=GPU)
        found: list[Found] = []
        while not search.is_finished:
            found += search.step()
    assert 1 <= search.pass_size <= 32
    assert sorted(one.place for one in found) == list(range(64))
    assert not any(one.failure for one in found)
    by_place = sorted(found, key=lambda one: one.place)
    assert [one.relative_error for one in by_place] == pytest.approx(plain.relative_errors, rel=0.1)


def test_no_memory_for_one_image_is_an_error_and_the_next_search_runs(lite0: BuiltNetwork) -> None:
    recipe = preset("reg_free", image_size=224, steps=3)
    works = [Work(target, seed, recipe) for seed, target in enumerate(photographs(2, 224))]
    with capped(2**20), pytest.raises(torch.OutOfMemoryError):
        Search(lite0, POOLED, works, batch_size=2, device=GPU).step()
    assert len(Search(lite0, POOLED, works, batch_size=2, device=GPU).step()) == 0


def test_the_batch_chosen_for_a_memory_fits_in_it(lite0: BuiltNetwork) -> None:
    recipe, memory = preset("reg_free", image_size=96, steps=5), 2**30
    size = fitting_batch_size(lite0, POOLED, 96, memory)
    assert size > 1
    works = [Work(target, seed, recipe) for seed, target in enumerate(photographs(size, 96))]
    needed = memory_of(lite0, works)
    assert needed < memory
    assert needed > 0.2 * size * held_bytes(lite0, POOLED, 96)


def test_a_search_that_was_stopped_goes_on_there_and_on_the_other_device() -> None:
    net, recipe = built(conv_net()), preset("reg_free", image_size=SIZE, steps=30, finish_below=None)
    works = [Work(target, seed, recipe) for seed, target in enumerate(photographs(3))]
    states: list[dict[str, object]] = []
    looks = iter(range(1000))
    with pytest.raises(InversionStopped):
        invert_each(
            net,
            "norm2",
            works,
            on_result=lambda _: None,
            on_checkpoint=states.append,
            should_stop=lambda: next(looks) >= 10,
            device="cuda",
        )
    whole = invert(net, "norm2", photographs(3), recipe, range(3), device="cuda")
    for device in ("cuda", "cpu"):
        found: list[Found] = []
        invert_each(net, "norm2", works, on_result=found.append, resume_from=states[-1], device=device)
        errors = [one.relative_error for one in sorted(found, key=lambda one: one.place)]
        assert errors == pytest.approx(whole.relative_errors, rel=0.05)


def test_images_are_measured_as_on_the_cpu(lite0: BuiltNetwork) -> None:
    images, targets = photographs(20, 64), photographs(20, 64).flip(0)
    plain, there = (
        measure(lite0, POOLED, images, targets, starts=targets, later=["_fc"], device=device)
        for device in ("cpu", "cuda")
    )
    for one, other in zip(plain, there, strict=True):
        assert other.relative_error == pytest.approx(one.relative_error, rel=1e-4)
        assert other.similarity.spearman == pytest.approx(one.similarity.spearman, abs=1e-3)
        assert other.later["_fc"].cosine == pytest.approx(one.later["_fc"].cosine, abs=1e-4)
        assert other.distance_moved == pytest.approx(one.distance_moved, rel=1e-5)
        assert other.iri_label == one.iri_label


def test_the_null_is_that_of_the_cpu(lite0: BuiltNetwork) -> None:
    images = photographs(20, 64)
    plain, there = (
        null_distribution(lite0, POOLED, 20, images.__getitem__, device=device) for device in ("cpu", "cuda")
    )
    for name in ("relative_error", "cosine", "spearman"):
        assert there.limit(name, 0.9) == pytest.approx(plain.limit(name, 0.9), rel=1e-3)


def test_networks_and_targets_may_be_there_already() -> None:
    own = from_module(conv_net().to(GPU), input_size=SIZE)
    assert own.device.type == "cpu"
    there = own.on(GPU)
    assert there.device.type == "cuda"
    assert there.on(GPU) is there
    assert there.on(torch.device("cpu")).device.type == "cpu"
    recipe, targets = preset("reg_free", image_size=SIZE, steps=12), photographs(2)
    plain = invert(own, "norm2", targets, recipe, range(2), device="cuda")
    errors = pytest.approx(plain.relative_errors, rel=0.01)
    assert invert(there, "norm2", targets.to(GPU), recipe, range(2), device="cuda").relative_errors == errors
    assert invert(there, "norm2", targets.to(GPU), recipe, range(2)).relative_errors == errors
    found: list[Tensor] = [plain.images, plain.images.to(GPU)]
    for images in found:
        for device in ("cpu", "cuda"):
            (one, _) = measure(there, "norm2", images, targets, device=device)
            assert one.relative_error == pytest.approx(plain.relative_errors[0], abs=0.02)


def test_images_that_leave_change_no_pass(lite0: BuiltNetwork) -> None:
    """cuDNN would choose, and compile, its kernels anew for every number of images."""
    recipe = preset("reg_free", image_size=64, finish_below=None)
    works = [Work(one, seed, replace(recipe, steps=20 + seed)) for seed, one in enumerate(photographs(8, 64))]
    sizes: list[int] = []
    search = Search(lite0, POOLED, works, batch_size=8, device=GPU)
    search.step()
    for responder in search._responders.values():
        responder._extract._module.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    while not search.is_finished:
        search.step()
    assert set(sizes) <= {8, 2}


def test_a_layer_of_tokens_is_matched_there() -> None:
    network = build(NetworkSpec("timm", "vit_tiny_patch16_224", random_seed=0, num_classes=10))
    recipe = preset("reg_free", image_size=224, steps=12, finish_below=None)
    targets = photographs(2, 224)
    plain, there = (
        invert(network, "blocks.3#class", targets, recipe, range(2), device=device)
        for device in ("cpu", "cuda")
    )
    assert early_errors(there, 2) == pytest.approx(early_errors(plain, 2), rel=1e-3)


class Wide(nn.Module):
    """Answers with 98,304 numbers to an image of 64 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.grow = nn.Conv2d(3, 24, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.grow(images)


def test_a_wide_response_of_many_images_is_matched_and_measured() -> None:
    network = from_module(Wide(), input_size=64, has_classes=False)
    targets = photographs(80, 64)
    recipe = preset("reg_free", image_size=64, steps=12)
    found = invert(network, "grow", targets, recipe, range(80), device="cuda")
    rows = measure(network, "grow", found.images, targets, device="cuda")
    assert [one.relative_error for one in rows] == pytest.approx(found.relative_errors, abs=0.01)
