"""LPIPS as an observer: on a trunk of three, with the calibrated heads or without any."""

from __future__ import annotations

import hashlib
from functools import partial

import torch
from torch import Tensor

from workers.iri.perceptual import Perceptual, PerceptualError, load_perceptual
from workers.iri.precision import computing
from workers.observers.observer import Observer, ObserverError

VERSION = "1"
TRUNKS = ("alex", "vgg", "squeeze")
BASELINE = "-baseline"


def lpips_names() -> tuple[str, ...]:
    return tuple(f"lpips-{trunk}{heads}" for trunk in TRUNKS for heads in ("", BASELINE))


def lpips(name: str, device: torch.device) -> Observer:
    """`lpips-alex` has calibrated heads (Zhang et al. 2018); to `lpips-alex-baseline` every channel weighs 1.

    Raises ObserverError naming the file that is missing and where it was looked for.
    """
    trunk = name.removeprefix("lpips-").removesuffix(BASELINE)
    try:
        perceptual = load_perceptual(trunk, calibrated=not name.endswith(BASELINE), device=device)
    except PerceptualError as error:
        raise ObserverError(str(error)) from error
    hashes = perceptual.provenance["trunk_sha256"], perceptual.provenance["heads_sha256"]
    return Observer(
        name,
        VERSION,
        partial(_distance, perceptual, device),
        weights_sha256=hashlib.sha256(" ".join(hashes).encode()).hexdigest(),
        provenance=perceptual.provenance,
    )


def _distance(perceptual: Perceptual, device: torch.device, images: Tensor, others: Tensor) -> Tensor:
    try:
        with computing("float32", device):
            return perceptual.distance(images.to(device), others.to(device))
    except PerceptualError as error:
        raise ObserverError(str(error)) from error
