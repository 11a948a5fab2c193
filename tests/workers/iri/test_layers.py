from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.workers.iri.tiny import SIZE, TwoStreams, built, conv_net
from workers.iri.blocks import block_names
from workers.iri.inversion import invert
from workers.iri.networks import BuiltNetwork, NetworkSpec, build, list_layers
from workers.iri.recipe import preset


def test_layers_come_in_the_order_they_finish_with_shapes_and_roles() -> None:
    layers = list_layers(built(conv_net()), SIZE)
    assert [(one.name, one.depth, one.output_shape, one.role) for one in layers] == [
        ("conv1", 0, (4, 16, 16), ""),
        ("norm1", 1, (4, 16, 16), ""),
        ("relu", 2, (4, 16, 16), ""),
        ("conv2", 3, (6, 8, 8), ""),
        ("norm2", 4, (6, 8, 8), ""),
        ("relu_1", 5, (6, 8, 8), ""),
        ("pool", 6, (6, 1, 1), "pooled"),
        ("flatten", 7, (6,), ""),
        ("head", 8, (5,), "logits"),
    ]


def test_parts_of_a_layer_without_a_tensor_are_listed_and_it_is_not() -> None:
    assert [one.name for one in list_layers(built(TwoStreams()), SIZE)] == [
        "pair.left",
        "pair.right",
        "add",
    ]


def test_listing_leaves_no_hook_and_no_random_state_behind() -> None:
    network = built(conv_net())
    before = torch.get_rng_state()
    list_layers(network, SIZE)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(not module._forward_hooks for module in network.module.modules())


class Undecided(nn.Module):
    """Its code asks for the image's content, so it can't be traced; `twice` runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.pool = nn.Sigmoid(), nn.AdaptiveAvgPool2d(1)

    def forward(self, images: Tensor) -> Tensor:
        features = self.twice(images)
        return self.pool(self.twice(features) if features.mean() > 0 else images).flatten(1)


def test_of_code_that_cannot_be_traced_the_modules_that_run_once_are_listed() -> None:
    assert [one.name for one in list_layers(built(Undecided()), SIZE)] == ["pool"]


def test_a_network_without_classes_has_no_logits() -> None:
    network = replace(built(conv_net()), has_classes=False)
    assert "logits" not in {one.role for one in list_layers(network, SIZE)}


RECIPE = preset("reg_free", image_size=SIZE, steps=2)


def falls(network: BuiltNetwork, layer: str, size: int) -> bool:
    recipe = replace(RECIPE, image_size=size, finish_below=None)
    found = invert(network, layer, torch.full((1, 3, size, size), 0.5), recipe, [0])
    return found.relative_errors[0] < found.loss_traces[0][0][1]


def test_every_listed_layer_can_be_matched() -> None:
    network = built(conv_net())
    for layer in list_layers(network, SIZE):
        assert falls(network, layer.name, SIZE), layer.name


@pytest.mark.torch
@pytest.mark.parametrize(
    ("source", "architecture", "size", "every"),
    [
        ("torchvision", "resnet18", 32, 15),
        ("torchvision", "densenet121", 32, 160),
        ("torchvision", "vgg11", 32, 12),
        ("torchvision", "mobilenet_v3_small", 32, 60),
        ("torchvision", "squeezenet1_1", 32, 25),
        ("timm", "vit_tiny_patch16_224", 224, 130),
        ("package", "efficientnet_lite0", 32, 60),
    ],
)
def test_of_known_networks_too(source: str, architecture: str, size: int, every: int) -> None:
    """Every so many layers, and all that have a role of their own."""
    network = build(NetworkSpec(source, architecture, random_seed=0))
    layers = list_layers(network, size)
    for layer in [*layers[::every], *(one for one in layers if one.role in ("pooled", "logits"))]:
        assert falls(network, layer.name, size), layer.name


@pytest.mark.torch
@pytest.mark.parametrize(
    ("source", "architecture", "pooled", "logits"),
    [
        ("torchvision", "resnet18", ("avgpool", (512, 1, 1)), ("fc", (1000,))),
        ("torchvision", "mobilenet_v3_small", ("avgpool", (576, 1, 1)), ("classifier.3", (1000,))),
        ("torchvision", "squeezenet1_1", None, ("classifier.3", (1000, 1, 1))),
        ("torchvision", "densenet121", ("adaptive_avg_pool2d", (1024, 1, 1)), ("classifier", (1000,))),
        ("torchvision", "vgg11", ("flatten", (25088,)), ("classifier.6", (1000,))),
        ("torchvision", "mobilenet_v2", ("adaptive_avg_pool2d", (1280, 1, 1)), ("classifier.1", (1000,))),
        ("torchvision", "inception_v3", ("avgpool", (2048, 1, 1)), ("fc", (1000,))),
        ("torchvision", "vit_b_16", ("encoder.ln#class", (768,)), ("heads.head", (1000,))),
        ("torchvision", "swin_t", ("avgpool", (768, 1, 1)), ("head", (1000,))),
        ("package", "efficientnet_lite0", ("_avg_pooling", (1280, 1, 1)), ("_fc", (1000,))),
        ("timm", "resnet18", ("global_pool", (512,)), ("fc", (1000,))),
        ("timm", "vit_tiny_patch16_224", ("norm#class", (192,)), ("head", (1000,))),
    ],
)
def test_pooled_features_and_logits_are_found(
    source: str, architecture: str, pooled: tuple | None, logits: tuple
) -> None:
    size = 224 if "vit" in architecture else 96
    layers = list_layers(build(NetworkSpec(source, architecture, random_seed=0)), size)
    roles = {one.role: (one.name, one.output_shape) for one in layers if one.role}
    assert roles.get("pooled") == pooled
    assert roles["logits"] == logits


@pytest.mark.torch
def test_containers_and_graph_nodes_are_listed_and_what_only_repeats_is_not() -> None:
    layers = list_layers(build(NetworkSpec("torchvision", "resnet18", random_seed=0)), 64)
    names = [one.name for one in layers]
    assert names.index("layer1.1") < names.index("layer1") < names.index("layer2.0.conv1")
    start = names.index("layer1.0.conv1")
    assert names[start : start + 7] == [
        f"layer1.0{part}" for part in (".conv1", ".bn1", ".relu", ".conv2", ".bn2", ".add", "")
    ]
    assert "layer1.0.relu_1" not in names  # what layer1.0 gives
    assert [one.name for one in layers if one.role == "block"] == [
        f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)
    ]
    assert len(names) == 76


@pytest.mark.torch
@pytest.mark.parametrize(
    ("source", "architecture", "blocks"),
    [
        ("torchvision", "vit_b_16", [f"encoder.layers.encoder_layer_{place}" for place in range(12)]),
        ("timm", "vit_tiny_patch16_224", ["patch_embed", *(f"blocks.{place}" for place in range(12))]),
        (
            "torchvision",
            "densenet121",
            [
                f"features.{name}"
                for name in [
                    "denseblock1",
                    "transition1",
                    "denseblock2",
                    "transition2",
                    "denseblock3",
                    "transition3",
                    "denseblock4",
                ]
            ],
        ),
        ("package", "efficientnet_lite0", [f"_blocks.{place}" for place in range(16)]),
        ("torchvision", "vgg11", []),
    ],
)
def test_blocks_are_what_the_network_is_stacked_from(
    source: str, architecture: str, blocks: list[str]
) -> None:
    module = build(NetworkSpec(source, architecture, random_seed=0)).module
    assert block_names(module) == set(blocks)


@pytest.mark.torch
def test_of_transformer_blocks_the_token_selections_are_listed() -> None:
    layers = list_layers(build(NetworkSpec("timm", "vit_tiny_patch16_224", random_seed=0)), 224)
    shapes = {one.name: one.output_shape for one in layers}
    assert shapes["blocks.5"] == (197, 192)
    assert shapes["blocks.5#class"] == shapes["blocks.5#mean"] == (192,)
    assert shapes["blocks.5#patches"] == (196, 192)
