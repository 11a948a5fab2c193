"""A network's layer as an observer, and how far another network shares an invariance."""

import numpy as np
import pytest
import torch

from tests.workers.iri.tiny import photographs
from workers.iri.layer_errors import LayerNotFound
from workers.iri.networks import NetworkSpec, build
from workers.observers.layers import LayerResponses, layer_observer
from workers.observers.observer import ObserverError
from workers.observers.transfer import linear_cka, transfer

pytestmark = pytest.mark.torch

SQUEEZE = NetworkSpec("torchvision", "squeezenet1_1", random_seed=1, num_classes=10)


def test_a_layer_finds_images_as_far_apart_as_its_responses() -> None:
    network = build(SQUEEZE)
    observer = layer_observer(network, "features.3", name="network:squeeze:features.3")
    images, others = photographs(4, 48).chunk(2)
    responses = LayerResponses(network, "features.3", torch.device("cpu"))
    one, other = responses(images), responses(others)
    expected = (one - other).norm(dim=1) / one.shape[1] ** 0.5
    assert observer.distances(images, others).tolist() == pytest.approx(expected.tolist(), rel=1e-6)
    assert observer.distances(images, images).tolist() == [0, 0]
    assert observer.weights_sha256 == network.weights_sha256
    assert observer.provenance["layer"] == "features.3"


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(LayerNotFound, match=r"features\.3"):
        layer_observer(build(SQUEEZE), "features.33", name="x")


def test_a_size_that_the_network_cannot_take_is_refused_with_the_reason() -> None:
    network = build(NetworkSpec("torchvision", "vit_b_16", random_seed=0, num_classes=10))
    observer = layer_observer(network, "encoder.ln", name="network:vit:encoder.ln")
    with pytest.raises(ObserverError, match=r"the network can't take images of 64 × 64 pixels: .*224"):
        observer.distances(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64))


def textbook_cka(one: np.ndarray, other: np.ndarray) -> float:
    """Kornblith et al. 2019, equation with HSIC, written out."""
    n = len(one)
    centre = np.eye(n) - 1 / n

    def hsic(k: np.ndarray, other_k: np.ndarray) -> float:
        return float(np.trace(k @ centre @ other_k @ centre)) / (n - 1) ** 2

    k, other_k = one @ one.T, other @ other.T
    return hsic(k, other_k) / (hsic(k, k) * hsic(other_k, other_k)) ** 0.5


@pytest.mark.parametrize("seed", [0, 1])
def test_cka_equals_the_textbook(seed: int) -> None:
    one, other = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(seed)).double()
    assert linear_cka(one, other) == pytest.approx(textbook_cka(one.numpy(), other.numpy()), rel=1e-9)


def test_shared_invariances_give_one_whatever_turns_and_scales_the_responses() -> None:
    responses = torch.randn(6, 4, generator=torch.Generator().manual_seed(2)).double()
    turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(3)).double())
    found = transfer(responses, 3 * responses @ turn + 1, torch.ones(6, 4))
    assert found.stir == pytest.approx(1)
    assert (found.stir_start, found.n, len(found.cosines)) == (None, 6, 6)
    assert transfer(responses, responses, responses).cosine == pytest.approx(1)


def test_unrelated_responses_are_not_shared() -> None:
    one, other = torch.randn(2, 200, 3, generator=torch.Generator().manual_seed(4))
    found = linear_cka(one, other)
    assert found is not None
    assert found < 0.1


def test_two_images_have_no_cka() -> None:
    found = transfer(torch.eye(2), torch.eye(2), torch.eye(2))
    assert (found.stir, found.stir_start, found.cosine) == (None, None, 1)
