"""The layouts that researchers have, each made here as their training code writes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.workers.iri.tiny import ConvNet, conv_net
from workers.iri.checkpoints import groups
from workers.iri.networks import NetworkSpec, build, list_layers
from workers.iri.weights import WeightsError, load_weights, state_sha256

State = dict[str, Tensor]


class Backbone(ConvNet):
    """A ConvNet whose classifier is called `fc`, as torchvision's ResNets call it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = self.head
        del self.head

    def forward(self, images: Tensor) -> Tensor:
        self.head = self.fc
        return super().forward(images)


def trained() -> Backbone:
    net = Backbone()
    state = conv_net().state_dict()
    net.load_state_dict({key.replace("head.", "fc."): value for key, value in state.items()})
    return net


def under(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


def without_fc(state: State) -> State:
    return {key: value for key, value in state.items() if not key.startswith("fc.")}


def projection(prefix: str) -> State:
    return {f"{prefix}.0.weight": torch.zeros(6, 6), f"{prefix}.2.weight": torch.zeros(4, 6)}


def robustness(state: State) -> dict[str, Any]:
    """MadryLab's: an attacker model in DataParallel, with normalisation and the attacker's own copy."""
    statistics = {
        "new_mean": torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1),
        "new_std": torch.full((3, 1, 1), 0.25),
    }
    return {
        "model": {
            **under("module.normalizer.", statistics),
            **under("module.model.", state),
            **under("module.attacker.normalize.", statistics),
            **under("module.attacker.model.", state),
        },
        "epoch": 90,
        "schedule": None,
    }


WHOLE: dict[str, Callable[[State], Any]] = {
    "lightning model": lambda state: {
        "state_dict": under("model.", state),
        "hyper_parameters": {"lr": 0.1, "name": "resnet18"},
        "epoch": 3,
    },
    "lightning net": lambda state: {"state_dict": under("net.", state)},
    "lightning net and loss": lambda state: {
        "state_dict": {**under("net.", state), "criterion.weight": torch.ones(5)}
    },
    "lightning twice": lambda state: {"state_dict": under("model.model.", state)},
    "compiled": lambda state: under("_orig_mod.", state),
    "compiled in parallel": lambda state: {"model": under("_orig_mod.module.", state)},
    "parallel": lambda state: under("module.", state),
    "averaged": lambda state: {**under("module.", state), "n_averaged": torch.tensor(7)},
    "robustness": robustness,
    "model_state_dict": lambda state: {"model_state_dict": state, "optimizer_state_dict": {}},
    "net": lambda state: {"net": under("module.", state), "acc": 93.1},
}
HEADLESS: dict[str, Callable[[State], Any]] = {
    "backbone alone": without_fc,
    "simclr encoder and projector": lambda state: {
        **under("encoder.", without_fc(state)),
        **projection("projector"),
    },
    "simclr projection in fc": lambda state: {
        "state_dict": {**under("backbone.", without_fc(state)), **projection("backbone.fc")}
    },
    "simclr head, in parallel": lambda state: {
        **under("module.encoder.", without_fc(state)),
        **projection("module.head"),
    },
    "simclr head beside a parallel encoder": lambda state: {
        **under("encoder.module.", without_fc(state)),
        **projection("head"),
    },
    "simclr head in lightning": lambda state: {
        "state_dict": {**under("model.backbone.", without_fc(state)), **projection("model.head")}
    },
    "simclr without projection": lambda state: under("module.encoder.", without_fc(state)),
    "solo-learn with an online classifier": lambda state: {
        "state_dict": {
            **under("backbone.", without_fc(state)),
            **projection("projector"),
            "classifier.weight": torch.zeros(10, 6),
            "classifier.bias": torch.zeros(10),
        }
    },
    "moco": lambda state: {
        "state_dict": {
            **under("module.encoder_q.", {**without_fc(state), **projection("fc")}),
            **under("module.encoder_k.", {**without_fc(state), **projection("fc")}),
            "module.queue": torch.zeros(4, 8),
            "module.queue_ptr": torch.zeros(1),
        }
    },
}


@pytest.mark.parametrize("layout", WHOLE)
def test_whole_networks_are_found_in_their_files(layout: str, tmp_path: Path) -> None:
    torch.save(WHOLE[layout](trained().state_dict()), tmp_path / "net.pt")
    fresh = Backbone()
    loaded = load_weights(fresh, tmp_path / "net.pt")
    assert state_sha256(fresh) == state_sha256(trained())
    assert loaded.without == ""


@pytest.mark.parametrize("layout", HEADLESS)
def test_backbones_are_taken_without_their_projection(layout: str, tmp_path: Path) -> None:
    torch.save(HEADLESS[layout](trained().state_dict()), tmp_path / "net.pt")
    fresh, whole = Backbone(), trained()
    loaded = load_weights(fresh, tmp_path / "net.pt")
    assert loaded.without == "fc"
    assert isinstance(fresh.fc, nn.Identity)
    assert without_fc(fresh.state_dict()).keys() == without_fc(whole.state_dict()).keys()
    assert torch.equal(fresh.conv2.weight, whole.conv2.weight)


def test_what_was_left_in_the_file_is_named(tmp_path: Path) -> None:
    torch.save(robustness(trained().state_dict()), tmp_path / "robust.pt")
    loaded = load_weights(Backbone(), tmp_path / "robust.pt")
    assert loaded.facts() == {
        "place": "model",
        "prefix": "module.model.",
        "skipped": {"module.normalizer": 2, "module.attacker": 2 + len(trained().state_dict())},
    }
    assert loaded.mean == pytest.approx((0.5, 0.4, 0.3))
    assert loaded.std == (0.25, 0.25, 0.25)


def test_names_are_grouped_by_the_part_of_the_file_they_stand_in() -> None:
    assert groups(["module.attacker.model.conv1.weight", "module.attacker.model.bn1.bias", "queue"]) == {
        "module.attacker": 2,
        "queue": 1,
    }


def test_a_file_s_own_normalisation_is_used_unless_another_is_asked_for(tmp_path: Path) -> None:
    twin = build(NetworkSpec("torchvision", "squeezenet1_1", random_seed=0, num_classes=2))
    torch.save(robustness(twin.module.state_dict()), tmp_path / "robust.pt")
    spec = NetworkSpec("torchvision", "squeezenet1_1", weights=tmp_path / "robust.pt", num_classes=2)
    network = build(spec)
    assert network.weights_sha256 == twin.weights_sha256
    assert network.mean == pytest.approx((0.5, 0.4, 0.3))
    assert network.provenance["skipped"]["module.normalizer"] == 2
    asked = NetworkSpec(
        "torchvision", "squeezenet1_1", weights=tmp_path / "robust.pt", num_classes=2, mean=(0.0, 0.0, 0.0)
    )
    assert build(asked).mean == (0.0, 0.0, 0.0)


@pytest.mark.torch
def test_a_simclr_resnet_has_the_backbone_s_layers_and_no_labels(tmp_path: Path) -> None:
    twin = build(NetworkSpec("torchvision", "resnet18", random_seed=0))
    state = {**under("encoder.", without_fc(twin.module.state_dict())), **projection("projector")}
    save_file(state, tmp_path / "simclr.safetensors")
    network = build(NetworkSpec("torchvision", "resnet18", weights=tmp_path / "simclr.safetensors"))
    assert (network.has_classes, network.labels) == (False, None)
    assert network.provenance["without"] == "fc"
    assert network.provenance["skipped"] == {"projector": 2}
    layers, whole = list_layers(network, 64), list_layers(twin, 64)
    assert [one.name for one in layers] == [one.name for one in whole if one.name != "fc"]
    assert [one.name for one in layers if one.role == "pooled"] == ["avgpool"]
    assert not any(one.role == "logits" for one in layers)


def test_what_belongs_to_no_known_layout_is_refused(tmp_path: Path) -> None:
    state = {**under("model.", trained().state_dict()), "ema.conv1.weight": torch.zeros(1)}
    torch.save({"state_dict": state}, tmp_path / "odd.pt")
    with pytest.raises(WeightsError, match=r"odd.pt does not fit: 1 unexpected \(ema.conv1.weight\)"):
        load_weights(Backbone(), tmp_path / "odd.pt")


def test_a_backbone_that_lacks_more_than_its_classifier_is_refused(tmp_path: Path) -> None:
    state = without_fc(trained().state_dict())
    del state["conv2.weight"]
    torch.save(under("encoder.", state), tmp_path / "odd.pt")
    with pytest.raises(
        WeightsError, match=r"odd.pt does not fit: 3 missing \(conv2.weight, fc.weight, fc.bias\)$"
    ):
        load_weights(Backbone(), tmp_path / "odd.pt")


def test_another_architecture_is_refused_with_the_shapes(tmp_path: Path) -> None:
    state = trained().state_dict()
    state["conv1.weight"] = torch.zeros(4, 3, 5, 5)
    torch.save(under("module.", state), tmp_path / "odd.pt")
    with pytest.raises(
        WeightsError, match=r"1 of another shape \(conv1.weight \(4, 3, 5, 5\), expected \(4, 3, 3, 3\)\)"
    ):
        load_weights(Backbone(), tmp_path / "odd.pt")
