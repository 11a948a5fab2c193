import pytest
import torch

from tests.workers.iri.tiny import SIZE, built, conv_net
from workers.iri.batch_size import MOST, default_batch_size, fitting_batch_size, held_bytes
from workers.iri.layer_errors import LayerNotFound

pytestmark = pytest.mark.torch
FLOAT = 4
CPU = torch.device("cpu")


def test_a_later_layer_holds_more_and_a_larger_image_by_its_pixels() -> None:
    net = built(conv_net())
    assert held_bytes(net, "norm1", SIZE) < held_bytes(net, "norm2", SIZE)
    # conv1 and its ReLU hold their inputs and outputs, all of the image's height and width.
    assert held_bytes(net, "norm1", 2 * SIZE) == pytest.approx(4 * held_bytes(net, "norm1", SIZE), rel=0.05)


def test_what_is_held_is_at_least_the_activations_and_no_weights() -> None:
    image, features = 3 * SIZE**2 * FLOAT, 4 * SIZE**2 * FLOAT
    held = held_bytes(built(conv_net()), "norm2", SIZE)
    assert image + features <= held <= 4 * (image + features)


def test_the_batch_fills_half_of_what_the_weights_leave() -> None:
    net = conv_net()
    weights = sum(one.nbytes for one in net.state_dict().values())
    one = held_bytes(built(net), "norm2", SIZE)
    assert fitting_batch_size(built(net), "norm2", SIZE, weights + 20 * one) == 10
    assert fitting_batch_size(built(net), "norm2", SIZE, weights + one) == 1
    assert fitting_batch_size(built(net), "norm2", SIZE, 0) == 1
    assert fitting_batch_size(built(net), "norm2", SIZE, 80 << 30) == MOST


def test_on_the_cpu_the_batch_is_a_fixed_number_at_most() -> None:
    assert default_batch_size(built(conv_net()), "norm2", SIZE, CPU, 8) == 8
    assert default_batch_size(built(conv_net()), "norm2", SIZE, CPU, 1000) == 32


def test_on_a_gpu_the_batch_is_what_its_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    net = conv_net()
    weights = sum(one.nbytes for one in net.state_dict().values())

    class Properties:
        total_memory = weights + 20 * held_bytes(built(net), "norm2", SIZE)

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: Properties)
    gpu = torch.device("cuda")
    assert default_batch_size(built(net), "norm2", SIZE, gpu, 1000) == 10
    assert default_batch_size(built(net), "norm2", SIZE, gpu, 4) == 4


def test_a_layer_that_is_none_is_refused() -> None:
    with pytest.raises(LayerNotFound, match="the network has no layer 'norm9'"):
        held_bytes(built(conv_net()), "norm9", SIZE)
