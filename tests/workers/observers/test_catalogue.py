"""Every observer by name: against the packages' own numbers, and what it says when weights are missing."""

import doctest
import importlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from survey_site.analysis.observer_names import BUILT_IN
from tests.workers.iri.test_perceptual import network_of
from tests.workers.iri.tiny import photographs
from workers.iri.vision import import_torchvision
from workers.observers import judging, transfer
from workers.observers.catalogue import NAMES, load_observer
from workers.observers.observer import ObserverError
from workers.observers.structural import INDICES

pytestmark = pytest.mark.torch

SIDE = 176  # multi-scale SSIM takes 161 pixels and more


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return photographs(2, SIDE)


@pytest.fixture(scope="module")
def squeeze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("trunks") / "squeeze.safetensors"
    save_file(network_of("squeeze").state_dict(), file)
    return file


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (judging, transfer):
        names = {"torch": torch, **vars(module)}
        assert doctest.testmod(module, extraglobs=names).failed == 0


def test_the_web_knows_the_same_names() -> None:
    assert tuple(BUILT_IN) == NAMES


@pytest.mark.parametrize("name", ["pixel-l2", *INDICES])
def test_equal_images_are_nearer_than_a_noisy_one_and_that_nearer_than_another(
    name: str, pictures: Tensor
) -> None:
    observer = load_observer(name)
    one, other = pictures[:1], pictures[1:]
    noise = torch.randn(one.shape, generator=torch.Generator().manual_seed(0))
    faint = (one + 0.005 * noise).clamp(0, 1)
    same, near, far = (observer.distances(one, image).item() for image in (one, faint, other))
    assert same == pytest.approx(0, abs=1e-5)
    assert same < near < far
    assert observer.weights_sha256 == ""


@pytest.mark.parametrize("name", list(INDICES))
def test_an_index_is_piqs(name: str, pictures: Tensor) -> None:
    import_torchvision()
    index = INDICES[name]
    expected = getattr(importlib.import_module("piq"), index.function)(
        pictures[1:], pictures[:1], data_range=1.0
    ).item()
    found = load_observer(name).distances(pictures[:1], pictures[1:]).item()
    assert found == pytest.approx(1 - expected if index.is_similarity else expected, abs=1e-4)
    assert load_observer(name).version == "1; piq 0.8.0"


def test_ssim_equals_scikit_image(pictures: Tensor) -> None:
    """Another implementation of Wang et al. 2004, on grey images large enough not to be halved by piq."""
    from skimage.metrics import structural_similarity

    grey = pictures.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1).double()
    ours = 1 - load_observer("ssim").distances(grey[:1], grey[1:]).item()
    # piq pads nothing: only windows that lie inside the images count.
    _, everywhere = structural_similarity(  # type: ignore[no-untyped-call]
        *(image[0].numpy() for image in grey), win_size=11, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=1.0, full=True,
    )  # fmt: skip
    assert ours == pytest.approx(everywhere[5:-5, 5:-5].mean(), abs=1e-3)


def test_pixel_distance_by_hand() -> None:
    black, white = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    observer = load_observer("pixel-l2")
    assert observer.distances(black, white).item() == 1
    half = white.clone()
    half[:, :, :2] = 0
    assert observer.distances(half, white).item() == pytest.approx(0.5**0.5)


def test_lpips_and_its_baseline_give_the_packages_numbers(
    squeeze: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRI_LPIPS_SQUEEZE", str(squeeze))
    images, others = photographs(3, 48), photographs(6, 48)[3:]
    hashes = set()
    for name, calibrated in (("lpips-squeeze", True), ("lpips-squeeze-baseline", False)):
        package = importlib.import_module("lpips").LPIPS(
            net="squeeze", pnet_rand=True, lpips=calibrated, verbose=False
        )
        for child_name, part in package.net.named_children():
            if child_name.startswith("slice"):
                for place, module in part.named_children():
                    weights = network_of("squeeze").get_submodule(f"features.{place}").state_dict()
                    module.load_state_dict(weights)
        observer = load_observer(name)
        expected = package(images, others, normalize=True).flatten().tolist()
        assert observer.distances(images, others).tolist() == pytest.approx(expected, rel=1e-4)
        hashes.add(observer.weights_sha256)
    assert len(hashes) == 2


@pytest.mark.parametrize("name", ["lpips-alex", "lpips-vgg", "lpips-squeeze", "lpips-vgg-baseline"])
def test_missing_weights_are_said_with_the_file_and_where_it_was_looked_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    trunk = name.split("-")[1]
    monkeypatch.delenv(f"IRI_LPIPS_{trunk.upper()}", raising=False)
    with pytest.raises(ObserverError) as refused:
        load_observer(name)
    for part in (f"IRI_LPIPS_{trunk.upper()} is not set", str(tmp_path / "checkpoints"), ".pth"):
        assert part in str(refused.value)


def test_an_unknown_observer_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ObserverError, match="there is no observer 'lpips'; allowed: pixel-l2, ssim, ms-ssim"):
        load_observer("lpips")


def test_images_that_cannot_be_judged_are_refused_with_their_size() -> None:
    with pytest.raises(ObserverError, match=r"ms-ssim can't take images of 96 × 96 pixels: .*161x161"):
        load_observer("ms-ssim").distances(torch.rand(1, 3, 96, 96), torch.rand(1, 3, 96, 96))
    with pytest.raises(ObserverError, match=r"pixel-l2 was given images of shape \(1, 3, 4, 4\) and"):
        load_observer("pixel-l2").distances(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 5, 4))
