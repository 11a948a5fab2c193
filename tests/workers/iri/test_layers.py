import pytest
import torch

from tests.workers.iri.tiny import SIZE, TwoStreams, built, conv_net
from workers.iri.inversion import invert
from workers.iri.networks import NetworkSpec, build, list_layers
from workers.iri.recipe import preset


def test_layers_come_in_the_order_they_finish_with_shapes_and_roles() -> None:
    layers = list_layers(built(conv_net()), SIZE)
    assert [(one.name, one.depth, one.output_shape, one.role) for one in layers] == [
        ("conv1", 0, (4, 16, 16), ""),
        ("norm1", 1, (4, 16, 16), ""),
        ("conv2", 2, (6, 8, 8), ""),
        ("norm2", 3, (6, 8, 8), ""),
        ("pool", 4, (6, 1, 1), "pooled"),
        ("head", 5, (5,), "logits"),
    ]


def test_parts_of_a_layer_without_a_tensor_are_listed_and_it_is_not() -> None:
    assert [one.name for one in list_layers(built(TwoStreams()), SIZE)] == ["pair.left", "pair.right"]


def test_listing_leaves_no_hook_and_no_random_state_behind() -> None:
    network = built(conv_net())
    before = torch.get_rng_state()
    list_layers(network, SIZE)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(not module._forward_hooks for module in network.module.modules())


def test_every_listed_layer_can_be_matched() -> None:
    network = built(conv_net())
    recipe = preset("reg_free", image_size=SIZE, steps=2)
    for layer in list_layers(network, SIZE):
        found = invert(network, layer.name, torch.rand(1, 3, SIZE, SIZE), recipe, [0])
        assert found.relative_errors[0] < found.loss_traces[0][0][1], layer.name


@pytest.mark.torch
@pytest.mark.parametrize(
    ("source", "architecture", "pooled", "logits"),
    [
        ("torchvision", "resnet18", ("avgpool", (512, 1, 1)), ("fc", (1000,))),
        ("torchvision", "mobilenet_v3_small", ("avgpool", (576, 1, 1)), ("classifier.3", (1000,))),
        ("torchvision", "squeezenet1_1", None, ("classifier.3", (1000, 1, 1))),
        ("torchvision", "densenet121", None, ("classifier", (1000,))),
        ("package", "efficientnet_lite0", ("_avg_pooling", (1280, 1, 1)), ("_fc", (1000,))),
        ("timm", "resnet18", ("global_pool", (512,)), ("fc", (1000,))),
    ],
)
def test_pooled_features_and_logits_are_found(
    source: str, architecture: str, pooled: tuple | None, logits: tuple
) -> None:
    layers = list_layers(build(NetworkSpec(source, architecture, random_seed=0)), 64)
    roles = {one.role: (one.name, one.output_shape) for one in layers if one.role}
    assert roles.get("pooled") == pooled
    assert roles["logits"] == logits


@pytest.mark.torch
def test_natural_containers_are_listed_and_a_module_used_twice_is_not() -> None:
    names = [
        one.name for one in list_layers(build(NetworkSpec("torchvision", "resnet18", random_seed=0)), 64)
    ]
    assert names.index("layer1.1") < names.index("layer1") < names.index("layer2.0.conv1")
    assert "layer1.0.relu" not in names
    assert len(names) == 59
