"""The reference's long descents, kept in files so that a benchmark can be stopped and gone on with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch

from tests.benchmarks.iri.reference import Reference

SAVE_EVERY = 50


def key(*facts: object) -> str:
    """A file name that no other run has: of all facts that determine a descent."""
    return hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()[:16]


def descend(reference: Reference, steps: int, file: Path | None, on_step: Callable[[], None]) -> Reference:
    """The reference after `steps` steps, gone on with from `file` where that holds a part of them."""
    if file is not None and file.exists():
        reference.resume(torch.load(file, map_location="cpu", weights_only=True))
    for _ in range(reference.steps):
        on_step()
    while reference.steps < steps:
        reference.step()
        if file is not None and (reference.steps % SAVE_EVERY == 0 or reference.steps == steps):
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part")
            torch.save(reference.state(), part)
            part.replace(file)
        on_step()
    return reference
