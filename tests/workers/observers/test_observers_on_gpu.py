"""Observers on a GPU judge as on the CPU. Skipped on a machine without one."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.workers.iri.test_perceptual import network_of
from tests.workers.iri.tiny import photographs
from workers.iri.networks import NetworkSpec, build
from workers.observers.catalogue import load_observer
from workers.observers.layers import layer_observer

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
GPU = torch.device("cuda")
SIDE = 176


@pytest.mark.parametrize("name", ["pixel-l2", "ssim", "lpips-squeeze", "lpips-squeeze-baseline"])
def test_an_observer_gives_the_distances_of_the_cpu(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "squeeze.safetensors"
    save_file(network_of("squeeze").state_dict(), file)
    monkeypatch.setenv("IRI_LPIPS_SQUEEZE", str(file))
    images, others = photographs(6, SIDE).chunk(2)
    plain, there = (load_observer(name, device).distances(images, others) for device in (None, GPU))
    assert there.device.type == "cpu"
    # TF32, which torch lets convolutions use, would be off by some 1e-3.
    assert there.tolist() == pytest.approx(plain.tolist(), rel=2e-5)


def test_a_layer_gives_the_distances_of_the_cpu() -> None:
    network = build(NetworkSpec("torchvision", "resnet18", random_seed=0, num_classes=10))
    images, others = photographs(6, 64).chunk(2)
    plain, there = (
        layer_observer(network, "layer2", name="x", device=device).distances(images, others)
        for device in (None, GPU)
    )
    assert there.tolist() == pytest.approx(plain.tolist(), rel=2e-5)
