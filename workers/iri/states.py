"""What a search's state needs: copies that nobody else writes to, and checks of one that is given."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from torch import Tensor


def independent(state: Any) -> Any:
    """A copy of nested dictionaries, lists, tensors and plain values, its tensors on the CPU.

    A search goes on writing into its own tensors, so neither a state given away nor one taken in may be them.
    """
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, Mapping):
        return {name: independent(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return [independent(value) for value in state]
    return state


def misfit(given: Any, expected: Any, name: str) -> str:
    """The first place where a state's tensors or lists are misnamed or misshapen; empty if there is none.

    `name`: what the state is called in the answer. Plain values aren't compared.
    """
    if isinstance(expected, Tensor):
        if not isinstance(given, Tensor):
            return f"{name} is a {type(given).__name__}; allowed: a tensor of shape {tuple(expected.shape)}"
        if given.shape != expected.shape:
            return f"{name} has shape {tuple(given.shape)}; allowed: {tuple(expected.shape)}"
    elif isinstance(expected, Mapping):
        if not isinstance(given, Mapping) or given.keys() != expected.keys():
            return f"{name} has other parts; allowed: {', '.join(expected) or 'none'}"
        parts = (misfit(given[one], value, f"{name}.{one}") for one, value in expected.items())
        return next(filter(None, parts), "")
    elif isinstance(expected, list) and (not isinstance(given, list) or len(given) != len(expected)):
        return f"{name} is no list of {len(expected)}"
    return ""


class Fingerprint:
    """A hash over works in the order in which they are drawn: target, seed and recipe of each."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, target: Tensor, seed: int, recipe_sha256: str) -> None:
        self._digest.update(f"{tuple(target.shape)} {seed} {recipe_sha256}\n".encode())
        self._digest.update(target.detach().cpu().float().contiguous().numpy().tobytes())

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()
