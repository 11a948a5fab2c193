from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.workers.iri.tiny import conv_net, photographs
from workers.iri.extractor import respond
from workers.iri.folding import prepare
from workers.iri.inversion import invert
from workers.iri.own_networks import from_module
from workers.iri.recipe import preset


@pytest.mark.parametrize("layer", ["conv1", "norm1", "conv2", "norm2", "pool", "head"])
def test_the_prepared_copy_responds_as_the_network_does(layer: str) -> None:
    net, images = conv_net(), photographs(3)
    prepared = prepare(net, [layer], images, "cpu")
    assert torch.allclose(respond(prepared, layer, images), respond(net, layer, images), atol=1e-5)


def test_batch_norm_before_the_layer_is_folded_and_the_network_itself_is_not_touched() -> None:
    net = conv_net()
    prepared = prepare(net, ["pool"], photographs(1), "cpu")
    assert isinstance(prepared.norm1, nn.Identity)
    assert isinstance(prepared.norm2, nn.Identity)
    assert isinstance(net.norm1, nn.BatchNorm2d)


def test_a_convolution_that_is_the_layer_keeps_its_own_response() -> None:
    assert isinstance(prepare(conv_net(), ["conv2"], photographs(1), "cpu").norm2, nn.BatchNorm2d)


def test_folding_is_dropped_where_it_changes_the_response() -> None:
    class Forked(nn.Module):
        """The convolution's output is used beside its batch norm, so that folding would be wrong."""

        def __init__(self) -> None:
            super().__init__()
            net = conv_net()
            self.conv, self.norm, self.flat = net.conv1, net.norm1, nn.Flatten()

        def forward(self, images: Tensor) -> Tensor:
            features = self.conv(images)
            return self.flat(features + self.norm(features))

    net, images = Forked().eval(), photographs(2)
    prepared = prepare(net, ["flat"], images, "cpu")
    assert isinstance(prepared.norm, nn.BatchNorm2d)
    assert torch.allclose(respond(prepared, "flat", images), respond(net, "flat", images), atol=1e-5)


class PaddedConv(nn.Conv2d):
    """A convolution that calls a padding of its own first."""

    def __init__(self, *sides: int) -> None:
        super().__init__(3, 4, 3)
        self.border = nn.ZeroPad2d(sides)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        padded = self.border(images)
        return nn.functional.conv2d(padded, self.weight, self.bias, self.stride, self.padding)


@pytest.mark.parametrize(("sides", "is_absorbed"), [((2, 2, 1, 1), True), ((0, 1, 0, 1), False)])
def test_a_convolution_s_own_padding_is_absorbed_where_it_is_symmetric(
    sides: tuple[int, ...], is_absorbed: bool
) -> None:
    net, images = nn.Sequential(PaddedConv(*sides), nn.Flatten()).eval(), photographs(2)
    prepared = prepare(net, ["1"], images, "cpu")
    assert isinstance(prepared.get_submodule("0.border"), nn.Identity) is is_absorbed
    assert torch.allclose(respond(prepared, "1", images), respond(net, "1", images), atol=1e-6)


@pytest.mark.parametrize(
    "normalised",
    [
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.spectral_norm,
        nn.utils.spectral_norm,
        pytest.param(
            nn.utils.weight_norm,
            marks=pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated"),
        ),
    ],
)
def test_a_convolution_whose_weight_is_computed_keeps_its_batch_norm(
    normalised: Callable[[nn.Module], nn.Module],
) -> None:
    own = nn.Sequential(normalised(nn.Conv2d(3, 4, 7, stride=4)), nn.BatchNorm2d(4), nn.Flatten())
    images = photographs(2)
    own.train()(images)  # batch norm's statistics, and a weight that its graph holds
    network = from_module(own, input_size=16, has_classes=False)
    assert torch.allclose(respond(network.module, "2", images), respond(own.eval(), "2", images), atol=1e-5)
    prepared = prepare(network.module, ["2"], images, "cpu")
    assert isinstance(prepared.get_submodule("1"), nn.BatchNorm2d)
    assert torch.allclose(respond(prepared, "2", images), respond(network.module, "2", images), atol=1e-5)
    recipe = preset("reg_free", image_size=16, steps=3)
    assert not any(invert(network, "2", images, recipe, [0, 1]).failures)
