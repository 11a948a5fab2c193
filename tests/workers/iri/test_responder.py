import pytest
import torch

from tests.workers.iri.tiny import SIZE, built, conv_net, photographs
from workers.iri.extractor import respond
from workers.iri.layer_errors import LayerNotFound
from workers.iri.networks import BuiltNetwork, NetworkSpec, build, list_layers
from workers.iri.responder import Responder, SizeRefused

CPU = torch.device("cpu")


def test_it_answers_as_the_network_does_to_normalised_images() -> None:
    plain = built(conv_net())
    network = BuiltNetwork(plain.module, (0.4, 0.5, 0.6), (0.2, 0.3, 0.5), SIZE, plain.weights_sha256)
    images = photographs(3)
    responses = Responder(network, ["norm1", "pool"], SIZE, CPU)(images)
    for layer, response in responses.items():
        expected = respond(network.module, layer, network.normalize(images))
        assert torch.allclose(response, expected, rtol=1e-4, atol=1e-4)


def test_images_stay_channels_last_on_their_way_in() -> None:
    seen: list[bool] = []
    network = built(conv_net())
    responder = Responder(network, ["pool"], SIZE, CPU)
    responder._extract._module.register_forward_pre_hook(
        lambda _module, inputs: seen.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
    )
    responder(photographs(2).contiguous(memory_format=torch.channels_last))
    assert seen == [True]


@pytest.mark.torch
def test_a_transformer_names_the_one_size_it_takes() -> None:
    network = build(NetworkSpec("timm", "vit_tiny_patch16_224", random_seed=0, num_classes=10))
    with pytest.raises(SizeRefused, match=r"can't take images of 96 × 96 pixels \(.*it takes 224$"):
        Responder(network, ["blocks.0#class"], 96, CPU)


@pytest.mark.torch
def test_a_listing_names_the_size_that_a_transformer_takes() -> None:
    network = build(NetworkSpec("torchvision", "vit_b_16", random_seed=0, num_classes=10))
    with pytest.raises(SizeRefused, match=r"can't take images of 64 × 64 pixels \(.*it takes 224$"):
        list_layers(network, 64)


def test_an_unknown_layer_is_no_matter_of_size() -> None:
    with pytest.raises(LayerNotFound, match="no layer 'pol'"):
        Responder(built(conv_net()), ["pol"], SIZE, CPU)
