"""LPIPS (Zhang et al., CVPR 2018): how different two images look, calibrated on people's judgements.

The calibrated heads come with the Python package `lpips` (version 0.1 of the heads). Its trunks are
torchvision's ImageNet networks, which the package does not carry: they are read from a local file, never
downloaded and never random. A trunk that isn't there is refused with the places that were looked at.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from workers.iri.images import sha256
from workers.iri.vision import import_torchvision
from workers.iri.weights import load_weights, state_sha256

# Images in [-1, 1] are shifted and scaled like this before the trunk (the package's ScalingLayer).
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_NORM_EPSILON = 1e-10


class PerceptualError(ValueError):
    """A trunk or heads that can't be had; the message says what was looked for and what to do."""


@dataclass(frozen=True)
class _Trunk:
    """`taps`: the modules of `features` whose outputs are compared; `smallest`: image side in pixels."""

    architecture: str
    file: str
    taps: tuple[int, ...]
    smallest: int


# Taps as the package slices the trunks; files as torchvision names them.
_TRUNKS: Mapping[str, _Trunk] = MappingProxyType(
    {
        "alex": _Trunk("alexnet", "alexnet-owt-7be5be79.pth", (1, 4, 7, 9, 11), 31),
        "vgg": _Trunk("vgg16", "vgg16-397923af.pth", (3, 8, 15, 22, 29), 16),
        "squeeze": _Trunk("squeezenet1_1", "squeezenet1_1-b8a52dc0.pth", (1, 4, 7, 9, 10, 11, 12), 17),
    }
)


class Perceptual:
    """LPIPS on one trunk, as a distance between vectors: LPIPS(x, y) = ||embed(x) - embed(y)||^2.

    The heads' weights are not negative, so their roots can be taken into the vectors, and the image that
    stays (target or start image) is embedded once.

    `provenance`: the trunk, the hashes of its weights and of its heads.
    """

    def __init__(
        self, trunk: str, features: nn.Sequential, heads: list[Tensor], provenance: dict[str, str]
    ) -> None:
        self.trunk, self.provenance = trunk, provenance
        plan = _TRUNKS[trunk]
        self._features, self._taps, self._smallest = features, plan.taps, plan.smallest
        self._roots = [head.sqrt() for head in heads]

    def embed(self, images: Tensor) -> Tensor:
        """Images (n, 3, h, w) in [0, 1] as vectors (n, d). Raises PerceptualError for too small ones."""
        if min(images.shape[-2:]) < self._smallest:
            height, width = images.shape[-2:]
            raise PerceptualError(
                f"images are {width} × {height} pixels; allowed for LPIPS on {self.trunk}:"
                f" {self._smallest} or more a side"
            )
        shift, scale = (images.new_tensor(one).view(3, 1, 1) for one in (_SHIFT, _SCALE))
        response = (2 * images - 1 - shift) / scale
        parts: list[Tensor] = []
        for place, module in enumerate(self._features):
            response = module(response)
            if place in self._taps:
                parts.append(_weighted(response, self._roots[len(parts)]))
            if place == self._taps[-1]:
                break
        return torch.cat(parts, dim=1)

    def distance(self, images: Tensor, others: Tensor) -> Tensor:
        """LPIPS of each image to its other, (n,): 0 for the same image."""
        return squared_distance(self.embed(images), self.embed(others))


def squared_distance(vectors: Tensor, others: Tensor) -> Tensor:
    """||a - b||^2 for each row, (n,): LPIPS where the rows are `Perceptual.embed`'s."""
    return (vectors - others).square().sum(dim=1)


def _weighted(response: Tensor, roots: Tensor) -> Tensor:
    """Each place's channels at unit length, times the roots of the heads, averaged over places. (n, d)"""
    length = response.square().sum(dim=1, keepdim=True).clamp_min(1e-30).sqrt()
    places = response.shape[2] * response.shape[3]
    return (response / (length + _NORM_EPSILON) * roots.view(-1, 1, 1) / places**0.5).flatten(1)


def load_perceptual(
    trunk: str,
    *,
    weights: Path | None = None,
    calibrated: bool = True,
    device: str | torch.device = "cpu",
) -> Perceptual:
    """LPIPS on a trunk: "alex", "vgg" or "squeeze".

    `calibrated`: with the heads; without them every channel weighs 1 (the "baseline" of Zhang et al.).

    `weights`: the trunk's ImageNet weights, a file that `load_weights` takes. None: the file that the
    environment variable IRI_LPIPS_<TRUNK> names, or the one in torch's cache of downloads.
    Raises PerceptualError where there is no such file, WeightsError where it does not fit.
    """
    if trunk not in _TRUNKS:
        raise PerceptualError(f"the LPIPS trunk is {trunk!r}; allowed: {', '.join(_TRUNKS)}")
    plan = _TRUNKS[trunk]
    file = weights or _trunk_file(trunk)
    network = import_torchvision().models.get_model(plan.architecture, weights=None)
    load_weights(network, file)
    features = network.features.eval().requires_grad_(False)
    for module in features.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # what is tapped must stay as it was
    heads, heads_sha256 = _heads(trunk) if calibrated else (_equal_heads(features, plan), "")
    provenance = {
        "trunk": plan.architecture,
        "trunk_sha256": state_sha256(features),
        "heads": f"lpips 0.1 {trunk}" if calibrated else "none: every channel weighs 1",
        "heads_sha256": heads_sha256,
    }
    return Perceptual(trunk, features.to(device), [head.to(device) for head in heads], provenance)


def shared_perceptual(trunk: str, device: torch.device) -> Perceptual:
    """As `load_perceptual` without a file; read once for a process, since it never changes."""
    return _shared(trunk, _trunk_file(trunk), str(device))


@lru_cache(maxsize=len(_TRUNKS))
def _shared(trunk: str, file: Path, device: str) -> Perceptual:
    return load_perceptual(trunk, weights=file, device=device)


def _trunk_file(trunk: str) -> Path:
    plan, variable = _TRUNKS[trunk], f"IRI_LPIPS_{trunk.upper()}"
    named = os.environ.get(variable)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / plan.file
    file = Path(named) if named else cached
    if file.is_file():
        return file
    raise PerceptualError(
        f"LPIPS on {trunk} needs the ImageNet weights of torchvision's {plan.architecture}, which are not on"
        f" this machine: {variable} is {named or 'not set'}, and there is no {file};"
        f" set {variable} to a file of them ({plan.file} as torchvision publishes it)"
    )


@torch.no_grad()
def _equal_heads(features: nn.Sequential, plan: _Trunk) -> list[Tensor]:
    """Ones, as many as each tap has channels."""
    response, heads = torch.zeros(1, 3, plan.smallest, plan.smallest), []
    for place, module in enumerate(list(features)[: plan.taps[-1] + 1]):
        response = module(response)
        if place in plan.taps:
            heads.append(torch.ones(response.shape[1]))
    return heads


def _heads(trunk: str) -> tuple[list[Tensor], str]:
    """The calibrated weights of each tap's channels, and the file's hash; the package's code is not run."""
    found = importlib.util.find_spec("lpips")
    if found is None or not found.submodule_search_locations:
        raise PerceptualError("LPIPS needs its calibrated heads: install the Python package lpips")
    file = Path(found.submodule_search_locations[0]) / "weights" / "v0.1" / f"{trunk}.pth"
    state = torch.load(file, map_location="cpu", weights_only=True)
    heads = [state[f"lin{place}.model.1.weight"].flatten() for place in range(len(_TRUNKS[trunk].taps))]
    if any((head < 0).any() for head in heads):
        raise PerceptualError(f"{file.name} has negative weights; allowed: LPIPS heads, which have none")
    return heads, sha256(file.read_bytes())
