import pytest
import torch
from torch import Tensor, nn

from tests.workers.iri.tiny import ChannelMeans, TwoStreams, conv_net, photographs
from workers.iri.extractor import Extractor, LayerError, LayerNotFound, respond


class Raises(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        raise AssertionError("this module must not run")


def test_the_response_is_the_layer_s_flattened_output() -> None:
    images = torch.stack([torch.full((3, 16, 16), 0.25), torch.full((3, 16, 16), 0.5)])
    assert respond(ChannelMeans(), "pool", images).tolist() == [[0.25] * 3, [0.5] * 3]


def test_nothing_after_the_layer_runs() -> None:
    net = ChannelMeans()
    net.head = Raises()  # type: ignore[assignment]
    assert respond(net, "pool", torch.zeros(1, 3, 16, 16)).tolist() == [[0.0] * 3]


def test_a_later_operation_in_place_does_not_reach_the_response() -> None:
    net, images = conv_net(), photographs(2)
    expected = net.norm1(net.conv1(images)).flatten(1)
    assert expected.min() < 0
    assert torch.equal(respond(net, "norm1", images), expected)
    responses, logits = Extractor(net, ["norm1", "pool"]).with_output(images)
    assert torch.equal(responses["norm1"], expected)
    assert torch.equal(logits, net(images))


def test_no_hook_is_left_behind_even_by_a_failure() -> None:
    net = ChannelMeans()
    respond(net, "pool", torch.zeros(1, 3, 16, 16))
    with pytest.raises(RuntimeError):
        respond(net, "head", torch.zeros(1, 5, 16, 16))
    assert all(not module._forward_hooks for module in net.modules())


def test_an_unknown_layer_names_the_nearest() -> None:
    with pytest.raises(LayerNotFound, match="no layer 'norm3'; nearest: norm"):
        respond(conv_net(), "norm3", photographs(1))


def test_a_layer_that_never_runs_is_an_error() -> None:
    with pytest.raises(LayerError, match="'unused' does not run in a forward pass"):
        respond(ChannelMeans(), "unused", photographs(1))
    with pytest.raises(LayerError, match="'unused' does not run in a forward pass"):
        Extractor(ChannelMeans(), ["unused"]).with_output(photographs(1))


def test_a_response_that_is_no_tensor_names_its_type_and_its_parts() -> None:
    with pytest.raises(
        LayerError, match=r"'pair' gives a tuple; allowed: a tensor; its parts: pair.left, pair.right"
    ):
        respond(TwoStreams(), "pair", photographs(1))
    with pytest.raises(LayerError, match="'pair' gives a tuple"):
        Extractor(TwoStreams(), ["pair"]).with_output(photographs(1))


def test_a_response_without_a_row_per_image_is_refused() -> None:
    class Joined(ChannelMeans):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(self.pool(images).reshape(1, 3, -1, 1))

    with pytest.raises(LayerError, match=r"'head' gives torch.float32 of shape \(1, 2\) for 2 images"):
        respond(Joined(), "head", photographs(2))
