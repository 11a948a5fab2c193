"""Graph nodes answer as the network's own code does, number for number."""

import copy

import pytest
import torch

from tests.workers.iri.test_layers import Undecided
from tests.workers.iri.tiny import SIZE, built, conv_net, photographs
from workers.iri.extractor import respond
from workers.iri.folding import prepare
from workers.iri.graph import expose
from workers.iri.inversion import invert
from workers.iri.layer_errors import LayerError, LayerNotFound
from workers.iri.networks import NetworkSpec, build
from workers.iri.recipe import preset


def test_a_network_whose_modules_are_asked_for_stays_itself() -> None:
    net = conv_net()
    assert expose(net, ["conv1", "head"]) is net


@pytest.mark.torch
def test_a_residual_sum_is_the_sum_computed_by_hand() -> None:
    resnet = build(NetworkSpec("torchvision", "resnet18", random_seed=0)).module
    images = photographs(2, 64)
    block = resnet.get_submodule("layer1.0")
    stem = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(images))))  # type: ignore[operator]
    inner = block.bn2(block.conv2(block.relu(block.bn1(block.conv1(stem)))))  # type: ignore[operator]
    for layer, expected in (
        ("layer1.0.add", inner + stem),
        ("layer1.0.relu_1", torch.relu(inner + stem)),
        ("flatten", respond(resnet, "avgpool", images)),
    ):
        assert torch.equal(respond(expose(resnet, [layer]), layer, images), expected.flatten(1)), layer


@pytest.mark.torch
def test_nodes_and_modules_can_be_asked_for_together() -> None:
    resnet = build(NetworkSpec("torchvision", "resnet18", random_seed=0)).module
    images = photographs(1, 64)
    exposed = expose(resnet, ["layer1.0.add", "layer1", "layer2.0", "conv1"])
    assert torch.equal(exposed(images), resnet(images))
    for layer in ("layer1", "layer2.0", "conv1", "fc"):
        assert torch.equal(respond(exposed, layer, images), respond(resnet, layer, images)), layer


def test_a_traced_copy_can_be_copied_and_folded() -> None:
    net, images = conv_net(), photographs(2)
    expected = respond(expose(net, ["relu_1"]), "relu_1", images)
    assert torch.equal(respond(copy.deepcopy(expose(net, ["relu_1"])), "relu_1", images), expected)
    folded = prepare(net, ["relu_1"], images, "cpu")
    assert torch.allclose(respond(folded, "relu_1", images), expected, atol=1e-5)
    assert isinstance(folded.get_submodule("norm1"), torch.nn.Identity)


def test_a_node_can_be_matched_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    recipe = preset("reg_free", image_size=SIZE, steps=3)
    found = invert(built(conv_net()), "relu_1", photographs(2), recipe, [0, 1])
    assert all(
        error < trace[0][1] for error, trace in zip(found.relative_errors, found.loss_traces, strict=True)
    )
    assert capfd.readouterr() == ("", "")


def test_an_unknown_name_is_answered_with_the_nearest_of_modules_and_nodes() -> None:
    with pytest.raises(LayerNotFound, match="no layer 'flaten'; nearest: flatten, "):
        expose(conv_net(), ["flaten"])
    with pytest.raises(LayerNotFound, match="no layer 'relu_2'; nearest: relu_1, relu, "):
        invert(built(conv_net()), "relu_2", photographs(1), preset("reg_free", image_size=SIZE, steps=1), [0])


def test_code_that_cannot_be_traced_is_said_to_be_so() -> None:
    with pytest.raises(
        LayerNotFound, match=r"no layer 'gt'; nearest: .*graph nodes aren't known, since its code"
    ):
        expose(Undecided(), ["gt"])


def test_a_node_that_is_no_tensor_is_refused() -> None:
    vit = build(NetworkSpec("timm", "vit_tiny_patch16_224", random_seed=0, num_classes=2)).module
    layer = next(
        name
        for name in ("patch_embed.getattr", "patch_embed.getattr_1", "getattr", "blocks.0.attn.getattr")
        if _is_node(vit, name)
    )
    with pytest.raises(LayerError, match="allowed: a tensor"):
        respond(expose(vit, [layer]), layer, photographs(1, 224))


def _is_node(module: torch.nn.Module, name: str) -> bool:
    try:
        expose(module, [name])
    except LayerNotFound:
        return False
    return True
