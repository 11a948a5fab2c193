"""What the library's functions are given is checked before anything is computed."""

from typing import Any

import numpy
import pytest
import torch
from torch import nn

from tests.workers.iri.tiny import SIZE, ChannelMeans, built, conv_net, photographs
from workers.iri.images import ImageError, fit, from_png, to_png
from workers.iri.inversion import InversionError, StateRefused, invert, invert_each
from workers.iri.layer_errors import LayerNotFound
from workers.iri.layers import list_layers
from workers.iri.networks import NetworkError, NetworkSpec, build
from workers.iri.nulls import NullError, null_distribution
from workers.iri.quality import MeasureError, measure
from workers.iri.recipe import Recipe, RecipeError, Start, preset
from workers.iri.search import SearchError, Work
from workers.iri.start_images import Pool

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"std": (0.2, 0.0, 0.2)}, r"std is \(0.2, 0.0, 0.2\); allowed: finite numbers above 0"),
        ({"std": (0.2, -1, 0.2)}, r"std is \(0.2, -1, 0.2\); allowed: finite numbers above 0"),
        ({"mean": (0.5, 0.5)}, r"mean is \(0.5, 0.5\); allowed: three numbers, one per channel"),
        ({"mean": (0, 0, float("inf"))}, r"mean is \(0, 0, inf\); allowed: finite numbers"),
        ({"input_size": 0}, "input_size is 0; allowed: whole numbers from 1 to 4,096"),
        ({"input_size": "224"}, "input_size is '224'; allowed: whole numbers"),
        ({"num_classes": 0}, "num_classes is 0; allowed: whole numbers from 1 to 1,000,000"),
        ({"num_classes": -5}, "num_classes is -5; allowed: whole numbers"),
        ({"random_seed": -1}, "random_seed is -1; allowed: whole numbers from 0 to"),
        ({"random_seed": 1.5}, "random_seed is 1.5; allowed: whole numbers"),
        ({"random_seed": True}, "random_seed is True; allowed: whole numbers"),
        ({"random_seed": None, "pretrained": "no"}, "pretrained is 'no'; allowed: True or False"),
    ],
)
def test_numbers_of_a_spec_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        NetworkSpec("torchvision", "resnet18", **{"random_seed": 0, **changes})


def test_a_spec_takes_lists_and_numpy_s_numbers() -> None:
    spec = NetworkSpec("torchvision", "resnet18", random_seed=numpy.int64(1), mean=[0, 0, 0])  # type: ignore[arg-type]
    assert spec.mean == (0.0, 0.0, 0.0)
    assert build(spec).mean == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": ChannelMeans()}, "the network is a tests.*ChannelMeans; allowed: a BuiltNetwork"),
        ({"images": numpy.zeros((2, 3, 4, 4))}, "images are a numpy.ndarray; allowed: a torch.Tensor"),
        ({"images": torch.zeros(3, SIZE, SIZE)}, r"images are torch.float32 of shape \(3, 16, 16\); allowed"),
        ({"images": torch.zeros(2, 3, 4, 4, dtype=torch.uint8)}, "images are torch.uint8 of shape"),
        ({"images": 255 * photographs(2)}, "images range from .* to 2.*; allowed: numbers from 0 to 1"),
        ({"targets": photographs(1)}, r"targets have shape \(1, 3.*allowed: \(2, 3, 16, 16\), as the images"),
        ({"starts": photographs(3)}, r"starts have shape \(3, 3"),
        ({"later": "head"}, "later is 'head'; allowed: a list of layers"),
        ({"null": 3}, "null is 3; allowed: a Null, as null_distribution gives, or None"),
        ({"passing": 0.9}, "passing is 0.9; allowed: a Passing, as recipe.passing, or None"),
        ({"passing": preset("reg_free")}, r"passing is a workers.*Recipe; allowed: a Passing"),
    ],
)
def test_images_to_be_measured_are_checked(changes: dict[str, Any], message: str) -> None:
    given = {"network": built(ChannelMeans()), "images": photographs(2), "targets": photographs(2), **changes}
    with pytest.raises(MeasureError, match=message):
        measure(given.pop("network"), "pool", given.pop("images"), given.pop("targets"), **given)


def test_an_image_that_is_not_finite_is_measured_beside_the_others() -> None:
    images = photographs(2)
    images[0, 0, 0, 0] = torch.nan
    rows = measure(built(ChannelMeans()), "pool", images, photographs(2))
    assert [row.is_finite for row in rows] == [False, True]


def search(works: Any = None, network: Any = None, layer: Any = "pool", **given: Any) -> None:
    works = (
        [Work(photographs(1)[0], 0, preset("reg_free", image_size=SIZE, steps=1))] if works is None else works
    )
    network = network or built(ChannelMeans())
    invert_each(network, layer, works, **{"on_result": lambda found: None, **given})


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"batch_size": "8"}, SearchError, "batch_size is '8'; allowed: whole numbers from 1"),
        ({"batch_size": 2.5}, SearchError, "batch_size is 2.5; allowed: whole numbers from 1"),
        ({"layer": None}, LayerNotFound, "the layer is None; allowed: a name, as list_layers gives"),
        ({"layer": ["pool"]}, LayerNotFound, r"the layer is a builtins.list; allowed: a name"),
        ({"works": [(1, 2, 3)]}, InversionError, r"work 0 is a builtins.tuple; allowed: Work\(target, seed"),
        ({"works": [None]}, InversionError, "work 0 is None; allowed: Work"),
        ({"works": 3}, InversionError, "works is 3; allowed: any number of Work"),
        ({"resume_from": "x"}, StateRefused, "resume_from is 'x'; allowed: a state of on_checkpoint"),
        ({"on_result": "x"}, InversionError, "on_result is 'x'; allowed: a function"),
        ({"should_stop": True}, InversionError, "should_stop is True; allowed: a function"),
        ({"count": -1}, InversionError, "count is -1; allowed: whole numbers from 0"),
        ({"count": "all"}, InversionError, "count is 'all'; allowed: whole numbers from 0"),
        (
            {"checkpoint_seconds": "30"},
            InversionError,
            "checkpoint_seconds is '30'; allowed: a number from 0",
        ),
        (
            {"checkpoint_seconds": -1.0},
            InversionError,
            "checkpoint_seconds is -1.0; allowed: a number from 0",
        ),
        (
            {"checkpoint_seconds": float("nan")},
            InversionError,
            "checkpoint_seconds is nan; allowed: a number",
        ),
        ({"network": nn.Flatten()}, InversionError, "the network is a torch.nn.*Flatten; allowed"),
    ],
)
def test_what_a_search_is_given_is_checked(
    given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        search(**given)


def test_a_search_of_all_at_once_checks_its_callbacks_first() -> None:
    def targets() -> Any:
        raise AssertionError("read before the check")

    with pytest.raises(InversionError, match="on_result is 3; allowed: a function"):
        invert(built(ChannelMeans()), "pool", targets, preset("reg_free"), [0], on_result=3)  # type: ignore[arg-type]
    with pytest.raises(InversionError, match="there are no targets; allowed: one or more"):
        invert(built(ChannelMeans()), "pool", torch.rand(0, 3, SIZE, SIZE), preset("reg_free"), [])


def test_a_network_is_built_of_a_spec() -> None:
    with pytest.raises(
        NetworkError, match=r"the network is 'resnet18'; allowed: a NetworkSpec, as NetworkSpec"
    ):
        build("resnet18")  # type: ignore[arg-type]


def test_targets_of_other_precision_are_taken() -> None:
    recipe = preset("reg_free", image_size=SIZE, steps=3, start=Start("natural", choice="nearest"))
    pool, targets = Pool(photographs(4), tuple("abcd")), photographs(2)
    single, double, half = (
        invert(built(conv_net()), "pool", some, recipe, [0, 1], pool=pool)
        for some in (targets, targets.double(), targets.half())
    )
    assert torch.equal(single.images, double.images)
    assert not any(half.failures)


def test_layers_are_listed_of_built_networks_at_sizes() -> None:
    not_built: Any = ChannelMeans()
    with pytest.raises(NetworkError, match=r"the network is a tests.*ChannelMeans; allowed: a BuiltNetwork"):
        list_layers(not_built, SIZE)
    size: Any = "16"
    with pytest.raises(NetworkError, match="image_size is '16'; allowed: whole numbers from 1"):
        list_layers(built(ChannelMeans()), size)


def test_layers_that_are_suggested_can_be_matched() -> None:
    class Sized(ChannelMeans):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.head(self.pool(images).view(images.size(0), 3))

    network = built(Sized())
    with pytest.raises(LayerNotFound) as refusal:
        search(network=network, layer="siz")
    suggested = str(refusal.value).partition("nearest: ")[2].split(", ")
    assert "size" not in suggested
    assert "head" in suggested


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_images": 1}, "n_images is 1; allowed: whole numbers from 2"),
        ({"n_images": "5"}, "n_images is '5'; allowed: whole numbers from 2"),
        ({"pairs": 0}, "pairs is 0; allowed: whole numbers from 1"),
        ({"seed": "a"}, "seed is 'a'; allowed: whole numbers from 0"),
        ({"seed": -1}, "seed is -1; allowed: whole numbers from 0"),
        (
            {"load": lambda index: torch.full((3, SIZE, SIZE), torch.nan)},
            r"load\(0\) gave an image that is not",
        ),
        (
            {"load": lambda index: torch.rand(3, SIZE + index, SIZE)},
            r"load\([12]\) gave an image of shape \(3, 1[78], 16\); allowed: \(3, 16, 16\), as the first",
        ),
        ({"load": photographs(3)}, r"load is a torch.Tensor; allowed: a function"),
        ({"load": lambda index: None}, r"load\(0\) gave a builtins.NoneType; allowed: a torch.Tensor"),
        ({"load": lambda index: 9 * torch.ones(3, SIZE, SIZE)}, r"load\(0\) range from 9 to 9; allowed"),
    ],
)
def test_what_a_null_is_computed_of_is_checked(given: dict[str, Any], message: str) -> None:
    images = photographs(3)
    given = {"n_images": 3, "load": lambda index: images[index], **given}
    with pytest.raises(NullError, match=message):
        null_distribution(built(conv_net()), "pool", given.pop("n_images"), given.pop("load"), **given)


@pytest.mark.parametrize("text", [3, None, b"{}", {"schema": 1}])
def test_a_recipe_is_read_from_text(text: Any) -> None:
    with pytest.raises(RecipeError, match=r"a recipe is .*; allowed: JSON text, as to_json writes"):
        Recipe.from_json(text)


def test_images_are_tensors_of_numbers_and_files_are_bytes() -> None:
    array: Any = numpy.zeros((3, 4, 4))
    with pytest.raises(ImageError, match=r"an image is a ndarray; allowed: a tensor of floating-point"):
        to_png(array)
    with pytest.raises(ImageError, match=r"an image is a torch.uint8; allowed: a tensor"):
        to_png(torch.zeros(3, 4, 4, dtype=torch.uint8))
    with pytest.raises(ImageError, match=r"an image has shape \(3, 0, 4\); allowed: \(3, height, width\)"):
        to_png(torch.zeros(3, 0, 4))
    path: Any = "photograph.png"
    with pytest.raises(ImageError, match="an image is a str; allowed: the bytes of its file"):
        from_png(path)
    with pytest.raises(ImageError, match="size is 0; allowed: a whole number of pixels from 1"):
        fit(to_png(torch.zeros(3, 4, 4)), 0)
