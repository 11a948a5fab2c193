"""A network's large parts: residual blocks, transformer blocks, stages."""

from __future__ import annotations

from torch import nn

from workers.iri.graph import CONTAINERS, is_one_operation

# So many in one container are a stack of blocks, whatever class holds the container.
_STACK = 3


def block_names(module: nn.Module) -> set[str]:
    """Names of the modules that a network is stacked from, none inside another.

    A block has parts, is of a class of its own, and stands in a container (`layer1.0`, `blocks.3`,
    `features.denseblock1`) or directly in the network (`Mixed_5b`).
    """
    names: set[str] = set()
    for name, child in module.named_children():
        _collect(child, name, names)
        if name in names and (stack := _stack(child)):
            names.remove(name)
            _collect(child.get_submodule(stack), f"{name}.{stack}", names)
    return names


def _collect(module: nn.Module, name: str, names: set[str]) -> None:
    if type(module) in CONTAINERS:
        for part_name, part in module.named_children():
            _collect(part, f"{name}.{part_name}", names)
    elif _has_parts(module) and not is_one_operation(module):
        names.add(name)


def _stack(module: nn.Module) -> str | None:
    """The container of blocks that a part of the network wraps, as a transformer's encoder does."""
    for name, part in module.named_children():
        is_container = type(part) in CONTAINERS and len(list(part.children())) >= _STACK
        if is_container and all(_is_block(one) for one in part.children()):
            return name
    return None


def _is_block(module: nn.Module) -> bool:
    return _has_parts(module) and not isinstance(module, nn.Sequential)


def _has_parts(module: nn.Module) -> bool:
    return any(True for _ in module.children())
