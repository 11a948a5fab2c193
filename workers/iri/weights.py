"""Weights from files that researchers have, without ever running code from them."""

import hashlib
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from workers.iri.checkpoints import PLACES, groups, headless, recognise
from workers.iri.file_kinds import is_torchscript, looks_like_torch, other_kind

_SHOWN = 3
# How torch names what a file of tensors can't hold.
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
# A counter that no forward pass in evaluation mode reads; old files lack it.
_COUNTER = "num_batches_tracked"


class WeightsError(ValueError):
    """A weights file that can't be read safely or doesn't fit; the message names what is wrong."""


@dataclass(frozen=True)
class LoadedWeights:
    """What was taken from a weights file, and what was left in it on purpose.

    `place`: the entry that held the state dict, empty where the file is one. `prefix`: taken off every name.
    `skipped`: names in the file that belong to no network (normalisation, attacks, projection heads, losses).
    `without`: the classifier that the file lacks and that was replaced by nothing; empty where it has one.
    `mean`, `std`: the file's own normalisation, None where it has none.
    """

    place: str = ""
    prefix: str = ""
    skipped: tuple[str, ...] = ()
    without: str = ""
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None

    def facts(self) -> dict[str, Any]:
        """For provenance: what differs from a plain state dict of the network."""
        facts: dict[str, Any] = {"place": self.place, "prefix": self.prefix, "without": self.without}
        if self.skipped:
            facts["skipped"] = groups(self.skipped)
        return {name: value for name, value in facts.items() if value}


def load_weights(module: nn.Module, path: Path) -> LoadedWeights:
    """Fill a network from a safetensors file or a torch file of plain tensors; every key must fit.

    Understood layouts: a plain state dict or one under a usual name (`state_dict`, `model` ...), its keys
    behind the words of wrappers (`module.`, `model.`, `net.`, `backbone.`, `encoder.` ...): DataParallel,
    Lightning, the robustness library, SimCLR and MoCo. Their normalisation, attack, projection heads and
    losses are skipped by name. A backbone without a classifier (or with a projection in its place) leaves the
    network without one: an nn.Identity stands there, and the network gives features.
    Raises WeightsError naming the keys that are missing, unexpected or of another shape, or why the file was
    refused: a pickle that would run code is never loaded.
    """
    content, place = _state_dict(_read(path), path)
    expected = module.state_dict()
    layout = recognise(content, expected)
    missing = [key for key in expected if key not in layout.state and not key.endswith(_COUNTER)]
    without = headless(missing, expected) or ""
    needed = {key: value for key, value in expected.items() if not _is_in(without, key)}
    _check_fit(needed, layout.state, path)
    if without:
        module.set_submodule(without, nn.Identity())
    module.load_state_dict(layout.state, strict=False)  # counters may lack; all else was checked
    return LoadedWeights(place, layout.prefix, layout.skipped, without, layout.mean, layout.std)


def _is_in(name: str, key: str) -> bool:
    return bool(name) and key.startswith(f"{name}.")


def state_sha256(module: nn.Module) -> str:
    """Hash over names, types, shapes and contents of a network's tensors, in the order of their names.

    Equal for equal weights, whatever file they came from.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if name.endswith(_COUNTER):
            continue
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path) -> Any:
    if not path.is_file():
        raise WeightsError(
            f"there is no weights file {str(path)!r}; allowed: a local file, .safetensors or a torch file of"
            " plain tensors"
        )
    try:
        return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    except OSError as error:
        raise WeightsError(f"{path.name} can't be read: {error.strerror or error}") from error


def _read_safetensors(path: Path) -> Any:
    _refuse_other_kinds(path, "safetensors")
    try:
        return load_file(path)
    except (SafetensorError, LookupError, ValueError) as error:
        raise WeightsError(f"{path.name} is not a safetensors file: {error}") from error


def _read_torch(path: Path) -> Any:
    _refuse_other_kinds(path, "torch")
    if not looks_like_torch(path):
        raise WeightsError(f"{path.name} is no torch file: it begins as none does. A failed download?")
    try:
        if is_torchscript(path):
            raise WeightsError(
                f"{path.name} is refused: it is a TorchScript program. "
                "Save the state dict alone, best as safetensors."
            )
        return torch.load(path, map_location="cpu", weights_only=True)
    except (WeightsError, OSError, MemoryError):
        raise
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path.name} is refused: it isn't a plain file of tensors, and loading it could run code."
            f"{_in_the_way(error)} Save the state dict alone, best as safetensors:"
            " safetensors.torch.save_file(network.state_dict(), 'weights.safetensors')"
        ) from error
    except (
        Exception
    ) as error:  # a damaged file fails anywhere in torch's reader, which advises what is unsafe
        raise WeightsError(
            f"{path.name} is a damaged or incomplete torch file: its reader stopped with"
            f" {type(error).__name__}. A failed download?"
        ) from error


def _in_the_way(error: pickle.UnpicklingError) -> str:
    """The first object beside the tensors, where torch names it."""
    found = _GLOBAL.search(str(error))
    return f" It holds a {found[1]}." if found else ""


def _refuse_other_kinds(path: Path, wanted: str) -> None:
    if kind := other_kind(path):
        raise WeightsError(f"{path.name} is no {wanted} file: it is {kind}. A failed download?")


def _state_dict(content: Any, path: Path) -> tuple[dict[str, Tensor], str]:
    if not _is_plain(content) and isinstance(content, Mapping):
        for place in PLACES:
            if _is_plain(content.get(place)):
                return dict(content[place]), place
    if not _is_plain(content):
        places = ", ".join(f'"{place}"' for place in PLACES)
        raise WeightsError(
            f"{path.name} holds no state dict; allowed: names with tensors, or the same under one of {places}"
        )
    return dict(content), ""


def _is_plain(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    )


def _check_fit(expected: Mapping[str, Tensor], state: Mapping[str, Tensor], path: Path) -> None:
    missing = [key for key in expected if key not in state and not key.endswith(_COUNTER)]
    unexpected = [key for key in state if key not in expected]
    misshaped = [
        f"{key} {tuple(state[key].shape)}, expected {tuple(expected[key].shape)}"
        for key in expected
        if key in state and state[key].shape != expected[key].shape
    ]
    found = (("missing", missing), ("unexpected", unexpected), ("of another shape", misshaped))
    faults = [f"{len(keys)} {fault} ({_first(keys)})" for fault, keys in found if keys]
    if faults:
        raise WeightsError(f"{path.name} does not fit: " + "; ".join(faults))


def _first(keys: list[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (", …" if len(keys) > _SHOWN else "")
