"""Every preset, and what custom recipes can hold, through `invert` on a tiny network."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.workers.iri.tiny import built, conv_net, photographs
from workers.iri.extractor import respond
from workers.iri.images import quantize
from workers.iri.inversion import Inversion, invert
from workers.iri.objectives import Context, anchors, loss
from workers.iri.perceptual import PerceptualError, shared_perceptual
from workers.iri.recipe import PRESETS, Optimizer, Recipe, Start, Term, Transform, preset
from workers.iri.start_images import Pool, StartError
from workers.iri.transforms import transform
from workers.iri.vision import import_torchvision

pytestmark = pytest.mark.torch

SIZE = 32
STEPS = 60


@pytest.fixture(scope="module", autouse=True)
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An LPIPS trunk for recipes that need one: SqueezeNet with weights drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = import_torchvision().models.get_model("squeezenet1_1", weights=None)
    file = tmp_path_factory.mktemp("trunk") / "squeeze.safetensors"
    save_file(network.state_dict(), file)
    patch = pytest.MonkeyPatch()
    patch.setenv("IRI_LPIPS_SQUEEZE", str(file))
    yield
    patch.undo()


def short(recipe: Recipe) -> Recipe:
    """The recipe at a size and length for tests, its LPIPS on the trunk that there is."""
    terms = tuple(replace(term, trunk="squeeze") if term.trunk else term for term in recipe.objective)
    return replace(recipe, image_size=SIZE, steps=STEPS, finish_below=None, objective=terms)


def value(recipe: Recipe, images: Tensor, found: Inversion, layer: str = "relu") -> list[float]:
    """What the recipe minimises at these images, over twenty random views where it has any."""
    net, count = built(conv_net()), len(images)
    layers = (layer, *recipe.layers)
    wanted = {name: respond(net.module, name, net.normalize(target_images(count))) for name in layers}
    norms = {name: one.norm(dim=1) for name, one in wanted.items()}
    trunks = {trunk: shared_perceptual(trunk, torch.device("cpu")) for trunk in recipe.trunks}

    def context(shown: Tensor, **more: object) -> Context:
        responses = {name: respond(net.module, name, net.normalize(shown)) for name in layers}
        return Context(layer, responses, wanted, norms, images, **more)  # type: ignore[arg-type]

    rows = anchors(
        recipe,
        trunks,
        target_images(count),
        found.start_images,
        lambda: context(found.start_images).relative_error(),
    )
    total = torch.zeros(count)
    for step in range(20):
        view = transform(recipe.transforms, images, range(count), [10_000 + step] * count)
        total += loss(recipe, context(view, trunks=trunks, anchors=rows)) / 20
    return total.tolist()


def target_images(count: int) -> Tensor:
    return quantize(photographs(count, SIZE))


def search(recipe: Recipe, layer: str = "relu", count: int = 2, **more: object) -> Inversion:
    seeds = range(count)
    return invert(built(conv_net()), layer, target_images(count), recipe, seeds, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_lowers_what_it_minimises(name: str) -> None:
    recipe = short(preset(name))
    found = search(recipe)
    assert found.failures == ("", "")
    before, after = (value(recipe, images, found) for images in (found.start_images, found.images))
    # LPIPS to the start image is 0 there and can only rise; what is judged is the sum.
    assert all(low < high - 0.01 for low, high in zip(after, before, strict=True)), (before, after)
    assert found.images.ge(0).all()
    assert found.images.le(1).all()


CUSTOM: dict[str, dict[str, Any]] = {
    "several layers at once": {"objective": (Term(), Term(weight=0.5, layer="conv1"), Term(layer="pool"))},
    "cosine beside it": {"objective": (Term(), Term(distance="cosine"))},
    # Alone it would stop where the one unit that it looks at is silent.
    "the largest difference beside it": {"objective": (Term(), Term(distance="linf"))},
    "sigmoid": {"parametrization": "sigmoid", "start": Start("grey_noise")},
    "fourier": {
        "parametrization": "fourier",
        "start": Start("grey_noise"),
        "optimizer": Optimizer("adam", 0.01),
    },
    "l-bfgs": {"optimizer": Optimizer("lbfgs", 0.5, "constant")},
    "halving adam": {"optimizer": Optimizer("adam", 0.1, "halving", blocks=3)},
    "passing through": {"relu_passthrough": True},
    "from a photograph": {"start": Start("natural", choice="farthest")},
    "from noise about the target": {"start": Start("target_noise", scale=0.5)},
    "from black": {"start": Start("black")},
    "from white": {"start": Start("white")},
    "from light noise": {"start": Start("light_noise")},
    "only jitter": {"transforms": (Transform("jitter", 4),)},
}


@pytest.mark.parametrize("name", list(CUSTOM))
def test_every_piece_of_a_custom_recipe_lowers_what_it_minimises(name: str) -> None:
    recipe = short(preset("reg_free", **CUSTOM[name]))
    pool = Pool(quantize(photographs(4, SIZE)), ("a", "b", "c", "d"))
    found = search(recipe, pool=pool)
    assert found.failures == ("", "")
    before, after = (value(recipe, images, found) for images in (found.start_images, found.images))
    assert all(low < 0.9 * high for low, high in zip(after, before, strict=True)), (before, after)


@pytest.mark.parametrize("name", ["human_leaning", "human_leaning_fft", "adversarial", "freq"])
def test_a_search_can_be_repeated(name: str) -> None:
    recipe = replace(short(preset(name)), steps=6)
    assert torch.equal(search(recipe).images, search(recipe).images)


@pytest.mark.parametrize("name", ["human_leaning", "adversarial", "freq"])
def test_an_image_is_found_alike_in_another_batch(name: str) -> None:
    """Views are drawn for each image, and a measured scale is its own: only the last bits may differ."""
    recipe = replace(short(preset(name)), steps=6)
    together, in_turns = search(recipe, count=3), search(recipe, count=3, batch_size=1)
    assert torch.allclose(together.images, in_turns.images, atol=1e-3)


def test_the_natural_start_is_the_pool_s_image_and_is_refused_without_a_pool() -> None:
    recipe = replace(short(preset("reg_free", start=Start("natural", choice="other_class"))), steps=2)
    pool = Pool(quantize(photographs(3, SIZE)), ("cat", "cat", "dog"))
    found = search(recipe, count=1, pool=pool)
    assert torch.equal(found.start_images[0], pool.images[2].float() / 255)
    with pytest.raises(StartError, match="the start rule 'natural' needs a pool"):
        search(recipe)


def test_a_trunk_that_is_not_there_stops_the_search_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.delenv("IRI_LPIPS_ALEX", raising=False)
    with pytest.raises(
        PerceptualError, match="LPIPS on alex needs the ImageNet weights of torchvision's alexnet"
    ):
        search(replace(preset("adversarial"), image_size=SIZE, steps=2))


def test_a_scale_that_cannot_be_measured_stops_that_image_with_a_reason() -> None:
    """The second target is the start image itself."""
    recipe = replace(short(preset("adversarial", start=Start("white"))), steps=4)
    targets = target_images(2)
    targets[1] = 1
    found = invert(built(conv_net()), "relu", targets, recipe, range(2))
    assert found.failures[0] == ""
    assert found.failures[1] == (
        "the squeeze scale of LPIPS is not finite: start image and target look the same to it"
    )
    assert mean(found.steps_run) == 2
