"""The device that a search runs on."""

from __future__ import annotations

import torch

ALLOWED = "cpu, cuda, cuda:0, cuda:1, ..."


class DeviceError(ValueError):
    """A device that can't be; the message names the value given and what is allowed."""


def checked_device(device: str | torch.device) -> torch.device:
    """The device of that name. Raises DeviceError for one that is unknown or not there."""
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise DeviceError(f"device is {device!r}; allowed: {ALLOWED}") from error
    if chosen.type not in ("cpu", "cuda"):
        raise DeviceError(f"device is {str(chosen)!r}; allowed: {ALLOWED}")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"device is {str(chosen)!r}, but torch finds no CUDA device here; allowed: cpu")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        there = ", ".join(f"cuda:{index}" for index in range(torch.cuda.device_count()))
        raise DeviceError(f"device is {str(chosen)!r}; allowed here: cpu, {there}")
    return chosen
