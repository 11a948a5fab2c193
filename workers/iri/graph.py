"""Graph nodes as layers: a traced copy of a network in which the wanted nodes are modules of their own.

A node is what torchvision.models.feature_extraction.get_graph_node_names lists: every operation in the order
of execution, named after the module that calls it (`layer1.0.add`, `flatten`; `layer1.0.relu_1` is the second
call). Modules that are one operation for people as well (convolutions, norms, and whatever a library derives
from them) are not looked into.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node, Proxy

from workers.iri.layer_errors import LayerNotFound
from workers.iri.stems import SpaceToDepthConv
from workers.iri.tokens import split, token_sequence
from workers.iri.vision import import_torchvision

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_NEAREST = 5
# What code asks of a value besides its numbers: no layers, so not suggested as any.
_ASKING = ("size", "dim", "getattr", "getitem", "eq", "ne", "floordiv", "_assert", "shape", "x", "input")
_COMPUTING = ("add", "iadd", "sub", "mul", "imul", "cat", "relu", "relu_")


class Tap(nn.Module):
    """Passes on what it is given, so that what has no module of its own can be hooked like one."""

    def forward(self, value: Any) -> Any:
        return value


class TracedNetwork(GraphModule):
    """A traced network that is called as any module is; fx's own call prints what ends a pass early."""

    def recompile(self) -> Any:
        code = super().recompile()
        type(self).__call__ = nn.Module.__call__  # type: ignore[method-assign]
        return code


def expose(module: nn.Module, layers: Iterable[str]) -> nn.Module:
    """The network with every one of the layers a named module: itself, unless one of them is a graph node.

    The traced copy shares parameters with the original, in evaluation mode. `layers` may select tokens
    (`blocks.5#class`).
    Raises LayerNotFound for a name that is neither module nor node, naming the nearest of both.
    """
    wanted = [split(layer)[0] for layer in layers]
    modules = dict(module.named_modules())
    unknown = [name for name in wanted if not name or name not in modules]
    if not unknown:
        return module
    trace = _trace(module, unknown[0])
    missing = [name for name in wanted if not name or name not in trace]
    if missing:
        values = {name for name, node in trace.items() if _operation(node) not in _ASKING}
        raise LayerNotFound(_not_found(missing[0], values | set(modules)))
    return trace.network(wanted)


def expose_all(module: nn.Module) -> tuple[nn.Module, set[str]]:
    """The network with every module that runs and every graph node a named module; and the computing nodes.

    These are the nodes that add, multiply, join or rectify and are not what some module returns: their
    responses are layers of their own, even where the numbers happen to repeat another's, as beside a norm
    whose weights still are zero.
    Raises LayerNotFound where its code can't be traced.
    """
    trace = _trace(module, "")
    modules = {name for name, _ in module.named_modules()}
    returned = {trace[name] for name in trace if name in modules}
    computing = {
        name for name, node in trace.items() if node not in returned and _operation(node) in _COMPUTING
    }
    return trace.network(list(trace)), computing


def truncated(module: nn.Module, layers: Sequence[str]) -> nn.Module:
    """What the network computes up to the last of some layers, as plain code: images to the layers' values.

    The traced copy shares parameters with the original and gives a tuple in the order of `layers`, whole
    values where tokens are selected (`blocks.5#class`).
    Raises LayerNotFound for a name that is neither module nor node, and where the code can't be traced.
    """
    names = [split(layer)[0] for layer in layers]
    trace = _trace(module, names[0])
    missing = [name for name in names if name not in trace]
    if missing:
        raise LayerNotFound(_not_found(missing[0], trace))
    return trace.up_to(names)


class _Trace(dict[str, Node]):
    """Layers by name, each with the node whose value it is, in the order in which they finish."""

    def __init__(self, module: nn.Module, tracer: Any, graph: torch.fx.Graph) -> None:
        super().__init__(tracer.finished)
        self._module, self._graph = module, graph

    def network(self, wanted: Iterable[str]) -> nn.Module:
        traced = TracedNetwork(self._module, self._graph)
        for name in self:  # in order, so that of two layers with one value the inner one finishes first
            is_module = self[name].op == "call_module" and self[name].target == name
            if name in wanted and not is_module:
                _tap(traced, name, self[name])
        traced.recompile()
        traced.meta["tokens"] = token_sequence(self._module)
        return traced.eval()

    def up_to(self, names: Sequence[str]) -> nn.Module:
        graph, wanted = self._graph, [self[name] for name in names]
        (output,) = (node for node in graph.nodes if node.op == "output")
        values = []
        for node in wanted:
            with graph.inserting_after(node):
                # A later in-place operation may overwrite what an earlier layer gave.
                values.append(graph.call_method("clone", (node,)))
        output.args = (tuple(values),)
        place = {node: index for index, node in enumerate(graph.nodes)}
        last = max(place[value] for value in values)
        for node in reversed(list(graph.nodes)):
            if last < place[node] < place[output]:
                graph.erase_node(node)
        traced = TracedNetwork(self._module, graph)
        traced.meta["tokens"] = token_sequence(self._module)
        return traced.eval()


def _tap(traced: GraphModule, name: str, node: Node) -> None:
    """Let the value of `node` pass through a module called `name`."""
    tap = Tap()
    for child_name, child in _present(traced, name).named_children():
        tap.add_module(child_name, child)
    for parameter_name, parameter in _present(traced, name).named_parameters(recurse=False):
        tap.register_parameter(parameter_name, parameter)
    for buffer_name, buffer in _present(traced, name).named_buffers(recurse=False):
        tap.register_buffer(buffer_name, buffer)
    traced.add_submodule(name, tap)
    last = node
    while last.next.meta.get("tap_of") is node:
        last = last.next
    with traced.graph.inserting_after(last):
        tapped = traced.graph.call_module(name, (node,))
    tapped.meta["tap_of"] = node


def _present(traced: GraphModule, name: str) -> nn.Module:
    """What bears the name already: the container of the modules that a traced module called, or nothing."""
    try:
        return traced.get_submodule(name)
    except AttributeError:
        return Tap()


def _trace(module: nn.Module, wanted: str) -> _Trace:
    tracer = _make_tracer()
    try:
        graph = tracer.trace(module)
    except Exception as error:  # whatever the network's own code raises at a value that isn't there yet
        names = {name for name, _ in module.named_modules()}
        raise LayerNotFound(
            f"{_not_found(wanted, names)}; its graph nodes aren't known, since its code can't be traced "
            f"({type(error).__name__}: {error})"
        ) from error
    return _Trace(module, tracer, graph)


def _operation(node: Node) -> str:
    return str(getattr(node.target, "__name__", node.target))


def _not_found(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, sorted(filter(None, known)), _NEAREST, cutoff=0.0)
    return f"the network has no layer {name!r}; nearest: {', '.join(nearest)}"


def _make_tracer() -> Any:
    import_torchvision()
    from torchvision.models.feature_extraction import NodePathTracer

    class Tracer(NodePathTracer):
        """torchvision's names, and the node whose value each called module returned."""

        def __init__(self) -> None:
            super().__init__()
            self.finished: dict[str, Node] = {}
            self.calls: Counter[str] = Counter()

        def is_leaf_module(self, child: nn.Module, name: str) -> bool:
            is_container = type(child) in CONTAINERS
            is_whole = is_one_operation(child) or isinstance(child, SpaceToDepthConv)
            return not is_container and (super().is_leaf_module(child, name) or is_whole)

        def call_module(self, child: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
            name = self.path_of_module(child)
            output = super().call_module(child, forward, args, kwargs)
            if isinstance(output, Proxy) and not self.is_leaf_module(child, name):
                self.finished.setdefault(name, output.node)
            return output

        def create_proxy(self, kind: str, target: Any, *args: Any, **kwargs: Any) -> Proxy:
            proxy = super().create_proxy(kind, target, *args, **kwargs)
            if kind == "call_module":
                # By its whole name: torchvision's takes the number off a module called `conv_2`.
                self.calls[target] += 1
                calls = self.calls[target] - 1
                self.finished.setdefault(f"{target}_{calls}" if calls else target, proxy.node)
            elif kind in ("call_function", "call_method"):
                self.finished.setdefault(self.node_to_qualname[proxy.node], proxy.node)
            return proxy

    return Tracer()


def is_one_operation(child: nn.Module) -> bool:
    """Derived from one of torch's own modules that compute, as timm's norms are."""
    bases = type(child).__mro__
    return any(base.__module__.startswith("torch.nn.modules") for base in bases[:-1] if _computes(base))


def _computes(base: type) -> bool:
    return base not in (nn.Module, *CONTAINERS) and issubclass(base, nn.Module)
