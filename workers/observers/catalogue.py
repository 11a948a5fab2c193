"""Observers by name."""

from __future__ import annotations

import torch

from workers.observers.observer import Observer, ObserverError
from workers.observers.perceptual import lpips, lpips_names
from workers.observers.pixels import pixel_l2
from workers.observers.structural import INDICES, structural

#: Observers that need no network of the researcher's own. survey_site.analysis.observer_names repeats them.
NAMES = ("pixel-l2", *INDICES, *lpips_names())


def load_observer(name: str, device: torch.device | None = None) -> Observer:
    """The observer of this name, ready to judge.

    Raises ObserverError for an unknown name (naming the known ones) and for weights that are not on this
    machine (naming the file and where it was looked for): nothing ever stands in for them.
    """
    if name not in NAMES:
        raise ObserverError(f"there is no observer {name!r}; allowed: {', '.join(NAMES)}")
    if name in INDICES:
        return structural(name)
    return pixel_l2() if name == "pixel-l2" else lpips(name, device or torch.device("cpu"))
