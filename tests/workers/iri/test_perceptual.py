"""LPIPS against the package's own code, on trunk weights that the test makes."""

import importlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.workers.iri.tiny import photographs
from workers.iri.perceptual import (
    Perceptual,
    PerceptualError,
    load_perceptual,
    shared_perceptual,
    squared_distance,
)
from workers.iri.vision import import_torchvision
from workers.iri.weights import WeightsError

pytestmark = pytest.mark.torch

SMALLEST = {"alex": 31, "vgg": 16, "squeeze": 17}
ARCHITECTURES = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}


def network_of(trunk: str) -> nn.Module:
    """torchvision's network with weights drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        made: nn.Module = import_torchvision().models.get_model(ARCHITECTURES[trunk], weights=None)
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def trunk_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SqueezeNet's weights, the smallest of the three, in a file as a researcher has the trained ones."""
    file = tmp_path_factory.mktemp("trunks") / "squeeze.safetensors"
    save_file(network_of("squeeze").state_dict(), file)
    return file


def test_it_gives_the_package_s_numbers(trunk_file: Path) -> None:
    network = network_of("squeeze")
    reference = importlib.import_module("lpips").LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    for name, part in reference.net.named_children():
        if name.startswith("slice"):
            for place, module in part.named_children():
                module.load_state_dict(network.get_submodule(f"features.{place}").state_dict())
    ours = load_perceptual("squeeze", weights=trunk_file)
    images, others = photographs(3, 48), photographs(6, 48)[3:]
    expected = reference(images, others, normalize=True).flatten()
    assert ours.distance(images, others).tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_it_is_worked_out_step_by_step(trunk_file: Path) -> None:
    """Zhang et al., equation 1, in loops: unit length at each place, squares times heads, means."""
    perceptual, network = load_perceptual("squeeze", weights=trunk_file), network_of("squeeze")
    package = Path(importlib.import_module("lpips").__file__ or "").parent
    heads = torch.load(package / "weights" / "v0.1" / "squeeze.pth", map_location="cpu", weights_only=True)
    images, other = photographs(2, 20)
    responses = []
    for image in (images, other):
        response = torch.stack(
            [
                (2 * image[channel] - 1 - shift) / scale
                for channel, (shift, scale) in enumerate([(-0.030, 0.458), (-0.088, 0.448), (-0.188, 0.450)])
            ]
        )[None]
        taps = []
        for place, module in enumerate(network.get_submodule("features").children()):
            response = module(response.clone())
            if place in (1, 4, 7, 9, 10, 11, 12):
                taps.append(response[0])
        responses.append(taps)
    total = 0.0
    for tap, (one, two) in enumerate(zip(*responses, strict=True)):
        weights = heads[f"lin{tap}.model.1.weight"].flatten()
        places = one.shape[1] * one.shape[2]
        for row in range(one.shape[1]):
            for column in range(one.shape[2]):
                first, second = one[:, row, column], two[:, row, column]
                apart = first / (first.norm() + 1e-10) - second / (second.norm() + 1e-10)
                total += float((weights * apart**2).sum()) / places
    found = perceptual.distance(images[None], other[None])
    assert found.item() == pytest.approx(total, rel=1e-4)


def test_an_image_is_at_distance_0_from_itself_and_the_others_follow_by_symmetry(
    trunk_file: Path,
) -> None:
    perceptual = load_perceptual("squeeze", weights=trunk_file)
    one, two = photographs(2, 40).chunk(2)
    assert perceptual.distance(one, one).item() == 0
    assert perceptual.distance(one, two).item() == perceptual.distance(two, one).item() > 0


def test_both_images_are_normalised_alike(trunk_file: Path) -> None:
    """The released code of Nanda et al. normalised the target only."""
    perceptual = load_perceptual("squeeze", weights=trunk_file)
    images = photographs(2, 40)
    vectors = perceptual.embed(images)
    assert squared_distance(vectors[:1], vectors[1:]).item() == pytest.approx(
        perceptual.distance(images[:1], images[1:]).item()
    )
    assert squared_distance(vectors, perceptual.embed(images.clone())).eq(0).all()


def test_a_gradient_reaches_the_image_even_where_features_are_silent(trunk_file: Path) -> None:
    perceptual = load_perceptual("squeeze", weights=trunk_file)
    for module in perceptual._features.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            module.bias.fill_(-1e3)
    images = photographs(1, 40).requires_grad_()
    vectors = perceptual.embed(images)
    (gradient,) = torch.autograd.grad(squared_distance(vectors, torch.ones_like(vectors)).sum(), images)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("trunk", list(SMALLEST))
def test_too_small_an_image_is_refused_and_the_smallest_is_taken(trunk: str) -> None:
    features = network_of(trunk).get_submodule("features")
    assert isinstance(features, nn.Sequential)
    perceptual = Perceptual(trunk, features, [torch.ones(1)] * 7, {})
    smallest = SMALLEST[trunk]
    assert perceptual.embed(photographs(1, smallest)).isfinite().all()
    with pytest.raises(PerceptualError, match=f"allowed for LPIPS on {trunk}: {smallest} or more a side"):
        perceptual.embed(photographs(1, smallest - 1))


def test_it_says_what_it_was_made_of(trunk_file: Path) -> None:
    provenance = load_perceptual("squeeze", weights=trunk_file).provenance
    assert (provenance["trunk"], provenance["heads"]) == ("squeezenet1_1", "lpips 0.1 squeeze")
    assert provenance["heads_sha256"].startswith("4a5350f23600cb79")
    assert len(provenance["trunk_sha256"]) == 64


def test_a_trunk_that_is_not_there_is_refused_with_what_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.delenv("IRI_LPIPS_ALEX", raising=False)
    with pytest.raises(PerceptualError) as refused:
        load_perceptual("alex")
    assert str(refused.value) == (
        "LPIPS on alex needs the ImageNet weights of torchvision's alexnet, which are not on this machine:"
        f" IRI_LPIPS_ALEX is not set, and there is no {tmp_path}/checkpoints/alexnet-owt-7be5be79.pth;"
        " set IRI_LPIPS_ALEX to a file of them (alexnet-owt-7be5be79.pth as torchvision publishes it)"
    )
    monkeypatch.setenv("IRI_LPIPS_ALEX", "/nowhere/alex.pth")
    with pytest.raises(
        PerceptualError, match=r"IRI_LPIPS_ALEX is /nowhere/alex.pth, and there is no /nowhere"
    ):
        shared_perceptual("alex", torch.device("cpu"))


def test_the_environment_names_the_trunk_s_file(trunk_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRI_LPIPS_SQUEEZE", str(trunk_file))
    shared = shared_perceptual("squeeze", torch.device("cpu"))
    assert shared is shared_perceptual("squeeze", torch.device("cpu"))
    assert shared.provenance == load_perceptual("squeeze", weights=trunk_file).provenance


def test_what_is_no_trunk_is_refused(trunk_file: Path) -> None:
    with pytest.raises(PerceptualError, match="the LPIPS trunk is 'vgg16'; allowed: alex, vgg, squeeze"):
        load_perceptual("vgg16")
    with pytest.raises(WeightsError):
        load_perceptual("alex", weights=trunk_file)
