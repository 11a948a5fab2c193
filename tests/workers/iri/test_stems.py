import pytest
import torch
from torch import nn

from tests.workers.iri.tiny import photographs
from workers.iri.folding import prepare
from workers.iri.stems import SpaceToDepthConv, can_be_rewritten, rewrite_stems


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(7, 2, 3), (4, 4, 0), (16, 16, 0), (11, 4, 2), (5, 3, 1), (4, 2, 3)]
)
@pytest.mark.parametrize("size", [32, 45])
def test_the_rewritten_stem_gives_the_same_response_and_gradient(
    kernel: int, stride: int, padding: int, size: int
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 6, kernel, stride, padding).requires_grad_(False)
    images = torch.rand(2, 3, size, size, requires_grad=True)
    expected, found = conv(images), SpaceToDepthConv(conv)(images)
    assert torch.allclose(found, expected, atol=1e-5)
    weights = torch.rand_like(expected)
    mine, plain = (torch.autograd.grad((one * weights).sum(), images)[0] for one in (found, expected))
    assert torch.allclose(mine, plain, atol=1e-5)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(3, 6, 3, 2, 1),
        nn.Conv2d(3, 6, 7, 1, 3),
        nn.Conv2d(64, 6, 7, 2, 3),
        nn.Conv2d(3, 6, 7, 2, 3, dilation=2),
        nn.Conv2d(3, 6, 7, 2, 3, groups=3),
        nn.Conv2d(3, 6, 7, 2, 3, padding_mode="reflect"),
        nn.Conv2d(3, 6, (7, 5), 2, 3),
        nn.Conv2d(3, 6, 7, (2, 1), 3),
        nn.Conv2d(3, 6, 7, 2, (3, 2)),
        nn.Conv2d(3, 6, 4, 8),
    ],
    ids=str,
)
def test_convolutions_that_would_not_gain_or_are_something_else_stay(conv: nn.Conv2d) -> None:
    net = nn.Sequential(conv)
    rewrite_stems(net)
    assert net[0] is conv


def test_a_valid_padding_is_none() -> None:
    conv = nn.Conv2d(3, 6, 4, 2, padding="valid").requires_grad_(False)
    assert can_be_rewritten(conv)
    images = torch.rand(1, 3, 32, 32)
    assert torch.allclose(SpaceToDepthConv(conv)(images), conv(images), atol=1e-5)


def test_the_prepared_copy_has_the_stem_rewritten_and_the_network_keeps_its_own() -> None:
    net = nn.Sequential(nn.Conv2d(3, 6, 7, 2, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()).eval()
    assert isinstance(prepare(net, ["2"], photographs(1), "cpu").get_submodule("0"), SpaceToDepthConv)
    assert isinstance(net[0], nn.Conv2d)
