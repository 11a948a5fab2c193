"""Checkpoint layouts: from the names in a file to the names of a network.

Training code wraps a network in others, and each puts a word before every name: DataParallel `module.`,
Lightning modules `model.`, `net.` or `backbone.`, the robustness library `module.model.`, SimCLR `encoder.`,
`backbone.` or `convnet.`, MoCo `module.encoder_q.`, torch.compile `_orig_mod.`. What else such files hold
beside the network is skipped by name, and only that.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

# Where files keep the state dict, in the order in which they are looked for.
PLACES = ("state_dict", "model_state_dict", "model", "net", "network", "backbone")
_WRAPPERS = (
    "_orig_mod.",
    "module.",
    "model.",
    "net.",
    "network.",
    "backbone.",
    "encoder.",
    "encoder_q.",
    "resnet.",
    "convnet.",
)
# Those of them that stand for a part of what was trained, so that heads have a place beside them.
_BACKBONES = frozenset({"backbone", "convnet", "encoder", "encoder_q"})
_MOST_WRAPPERS = 3
# torchvision's own files of DenseNet still carry these names ("norm.1" for "norm1").
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..+)$")
# What is no part of the network, wherever it stands: after nothing, or after the words of wrappers.
_SKIPPED = (
    # the robustness library: normalisation and attack, which holds the network a second time
    "normalizer",
    "attacker",
    # self-supervised training: heads, and the other network of MoCo and BYOL
    "projector",
    "projection",
    "projection_head",
    "predictor",
    "prediction_head",
    "encoder_k",
    "momentum_encoder",
    "momentum_backbone",
    "momentum_projector",
    "target_encoder",
    "queue",
    "queue_ptr",
    # losses and meters that Lightning modules keep, and the counter of averaged weights
    "criterion",
    "loss",
    "loss_fn",
    "n_averaged",
)
# Names of classifiers: a self-supervised file has a projection (`fc.0`, `fc.2`) or nothing in its place.
_CLASSIFIERS = ("fc", "classifier", "head", "heads", "last_linear", "_fc")
_NORMALIZER = re.compile(r"^(?:.+\.)?normalizer\.(?:new_)?(mean|std)$")


@dataclass(frozen=True)
class Layout:
    """How a file's names became the network's.

    `state`: the network's tensors under its own names; what fits nothing is there under the file's.
    `prefix`: taken off every name. `skipped`: names in the file left out on purpose.
    `mean`, `std`: of the file's own normalisation of images in [0, 1], where it has one.
    """

    state: dict[str, Tensor]
    prefix: str = ""
    skipped: tuple[str, ...] = ()
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None


def recognise(content: Mapping[str, Tensor], expected: Collection[str]) -> Layout:
    """The layout under which most of the network's names (`expected`) are found in a file."""
    content = {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in content.items()}
    names = frozenset(expected)
    prefix = max(_prefixes(), key=lambda one: (_matches(one, content, names), -len(one)))
    state: dict[str, Tensor] = {}
    skipped = []
    for key, value in content.items():
        name = key.removeprefix(prefix)
        if key.startswith(prefix) and name in names:
            state[name] = value
        elif _is_skipped(key, prefix, names):
            skipped.append(key)
        else:
            state[key] = value
    means = {match[1]: _triple(content[key]) for key in content if (match := _NORMALIZER.match(key))}
    return Layout(state, prefix, tuple(skipped), means.get("mean"), means.get("std"))


def _prefixes() -> Iterator[str]:
    for length in range(_MOST_WRAPPERS + 1):
        yield from map("".join, itertools.product(_WRAPPERS, repeat=length))


def _matches(prefix: str, content: Mapping[str, Tensor], names: Collection[str]) -> int:
    return sum(prefix + name in content for name in names)


def _is_skipped(key: str, prefix: str, names: Collection[str]) -> bool:
    if _own_words(key)[0] in _SKIPPED:
        return True
    return _is_projection(key.removeprefix(prefix), names) or _is_beside_backbone(key, prefix)


def _own_words(key: str) -> list[str]:
    """A name's words without those of wrappers before it."""
    words = key.split(".")
    while len(words) > 1 and f"{words[0]}." in _WRAPPERS:
        words = words[1:]
    return words


def groups(names: Iterable[str]) -> dict[str, int]:
    """How many names stand in each part of a file.

    >>> groups(["module.attacker.model.conv1.weight", "module.attacker.model.bn1.bias", "queue"])
    {'module.attacker': 2, 'queue': 1}
    """
    parts = [
        name.removesuffix("." + ".".join(rest)) if (rest := _own_words(name)[1:]) else name for name in names
    ]
    return dict(Counter(parts))


def _is_projection(name: str, names: Collection[str]) -> bool:
    """A projection head in the classifier's place: `fc.0.weight` where the network has `fc.weight`."""
    head, _, rest = name.partition(".")
    return head in _CLASSIFIERS and rest[:1].isdigit() and f"{head}.weight" in names


def _is_beside_backbone(key: str, prefix: str) -> bool:
    """A projection or a classifier trained on a backbone's features on the side."""
    is_inner = not _BACKBONES.isdisjoint(prefix.split("."))
    return is_inner and not key.startswith(prefix) and _own_words(key)[0] in (*_CLASSIFIERS, "linear")


def _triple(value: Tensor) -> tuple[float, float, float] | None:
    numbers = value.flatten().tolist()
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None


def headless(missing: Collection[str], expected: Collection[str]) -> str | None:
    """The classifier that a file of a backbone lacks, if that is all it lacks: its module's name.

    `missing`: names that the file doesn't have; `expected`: all of the network's.
    """
    owners = {name.rpartition(".")[0] for name in missing}
    for candidate in sorted(_paths(owners), key=len, reverse=True):
        inside = {name for name in expected if name.startswith(f"{candidate}.")}
        if inside == set(missing) and candidate.split(".")[0] in _CLASSIFIERS:
            return candidate
    return None


def _paths(owners: Collection[str]) -> set[str]:
    """The owners, and whatever they stand in."""
    return {".".join(owner.split(".")[:end]) for owner in owners for end in range(1, owner.count(".") + 2)}
