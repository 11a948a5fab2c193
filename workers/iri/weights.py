"""Weights from files that researchers have, without ever running code from them."""

import hashlib
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

_PREFIXES = ("module.", "model.")
_SHOWN = 3
# torchvision's own files of DenseNet still carry these names ("norm.1" for "norm1").
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..+)$")
# A counter that no forward pass in evaluation mode reads; old files lack it.
_COUNTER = "num_batches_tracked"


class WeightsError(ValueError):
    """A weights file that can't be read safely or doesn't fit; the message names what is wrong."""


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill a network from a safetensors file or a torch file of plain tensors; every key must fit.

    Understood layouts: a plain state dict, one under "state_dict", and keys with `module.` or `model.`
    in front.
    Raises WeightsError naming the keys that are missing, unexpected or of another shape, or why the file was
    refused: a pickle that would run code is never loaded.
    """
    state = _state_dict(_read(path), path)
    _check_fit(module, state, path)
    module.load_state_dict(state, strict=True)


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
        raise WeightsError(f"there is no weights file {path}")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise WeightsError(f"{path.name} is not a safetensors file: {error}") from error
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path.name} is refused: it isn't a plain file of tensors, and loading it could run code. "
            "Save the state dict alone, best as safetensors."
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        raise WeightsError(f"{path.name} is not a weights file: {error}") from error


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    is_plain = isinstance(content, Mapping) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    )
    if not is_plain or not content:
        raise WeightsError(
            f'{path.name} holds no state dict; allowed: names with tensors, or the same under "state_dict"'
        )
    state = dict(content)
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in state.items()}


def _check_fit(module: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    expected = module.state_dict()
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
