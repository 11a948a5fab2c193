"""Which layers a network has: what runs in a forward pass, in order, with the shape of its response."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workers.iri.arguments import check_network, checked_whole
from workers.iri.blocks import block_names
from workers.iri.built_network import BuiltNetwork, NetworkError
from workers.iri.graph import expose_all
from workers.iri.layer_errors import LayerNotFound
from workers.iri.sizes import explaining
from workers.iri.tokens import token_sequence

# Modules that only pass their input on in evaluation mode, or pad it.
_NOISE = ("Dropout", "Identity", "DropPath", "StochasticDepth", "ZeroPad")
_PROBE_IMAGES = 2  # tells a batch dimension from others
_LAST_NORMS = ("encoder.ln", "norm")  # of torchvision's and of timm's vision transformers
POOLED, LOGITS, BLOCK = "pooled", "logits", "block"


@dataclass(frozen=True)
class LayerInfo:
    """A layer that can be matched.

    `depth` counts from 0 in the order in which layers finish; `output_shape` is one image's response;
    `role` is "logits" for the class scores, "pooled" for the features with which spatial extent ends, "block"
    for the network's large parts (residual blocks, transformer blocks, stages), otherwise "".
    """

    name: str
    depth: int
    output_shape: tuple[int, ...]
    role: str = ""


@dataclass(frozen=True)
class _Response:
    """A layer's response to the probe images; its content is known by a hash, not kept."""

    name: str
    shape: tuple[int, ...]
    digest: bytes
    module: nn.Module | None = None  # nothing for a graph node or a selection of tokens
    is_sequence: bool = False

    @property
    def is_leaf(self) -> bool:
        return self.module is not None and not any(True for _ in self.module.children())

    @property
    def is_pooling(self) -> bool:
        return "Pool" in type(self.module).__name__

    @property
    def is_spatial(self) -> bool:
        return self.is_sequence or any(size > 1 for size in self.shape[1:])

    @property
    def content(self) -> tuple[tuple[int, ...], bytes]:
        return self.shape, self.digest


@torch.inference_mode(False)
@torch.enable_grad()
def list_layers(built: BuiltNetwork, image_size: int) -> list[LayerInfo]:
    """The layers that `invert` can match at this image size (pixels), in the order in which they finish.

    Modules; where the network's code can be traced, graph nodes that no module gives (`layer1.0.add`); of
    transformer blocks and the last norm the token selections (`blocks.0#class`). A module that is called
    several times is its first call; later ones are nodes (`relu_1`).
    Left out: what never runs, what gives no tensor with one row per image that depends on the image, nodes
    that only repeat what is listed, dropout and padding; where the code can't be traced, what runs more than
    once.
    Raises SizeRefused where the network can't take images of this size, NetworkError where `built` is none.
    """
    check_network(built, NetworkError)
    image_size = checked_whole("image_size", image_size, 1, None, NetworkError)
    listing = _Listing(built, image_size)
    roles = listing.roles()
    return [
        LayerInfo(one.name, depth, one.shape, roles.get(one.name, ""))
        for depth, one in enumerate(listing.listed())
    ]


class _Listing:
    """One forward pass of probe images with every module hooked."""

    def __init__(self, built: BuiltNetwork, image_size: int) -> None:
        self._built = built
        self._modules = dict(built.module.named_modules())
        self._blocks = block_names(built.module)
        try:
            self._network, self._computing = expose_all(built.module)
            is_traced = True
        except LayerNotFound:
            self._network, self._computing, is_traced = built.module, set(), False
        self._tokens = token_sequence(self._network)
        self._runs: dict[str, list[_Response | None]] = {}
        self._selections: dict[str, list[_Response]] = {}
        output = self._run(image_size)
        self._logits_digest = _digest(output) if isinstance(output, Tensor) else b""
        firsts = [runs[0] for runs in self._runs.values() if is_traced or len(runs) == 1]
        self._responses = [one for one in firsts if one is not None]

    def _run(self, image_size: int) -> Any:
        names = {module: name for name, module in self._network.named_modules() if name}

        def note(module: nn.Module, _inputs: Any, output: Any) -> None:
            name = names[module]
            self._runs.setdefault(name, []).append(self._response(name, output))
            if len(self._runs[name]) == 1:
                self._selections[name] = self._selected(name, output)

        generator = torch.Generator().manual_seed(0)
        images = torch.rand(_PROBE_IMAGES, 3, image_size, image_size, generator=generator)
        handles = [module.register_forward_hook(note) for module in names]
        try:
            with explaining(self._pass, image_size, self._built.input_size):
                # With gradients, as in the descent: what doesn't depend on the image shows itself.
                return self._network(self._built.normalize(images).requires_grad_())
        finally:
            for handle in handles:
                handle.remove()

    @torch.no_grad()
    def _pass(self, image_size: int) -> None:
        self._built.module(self._built.normalize(torch.zeros(1, 3, image_size, image_size)))

    def _response(self, name: str, output: Any) -> _Response | None:
        module = self._modules.get(name)
        if type(module).__name__.startswith(_NOISE) or not _is_usable(output):
            return None
        return _Response(name, tuple(output.shape[1:]), _digest(output), module, self._tokens.fits(output))

    def _selected(self, name: str, output: Any) -> list[_Response]:
        """The token selections of a block's response, or of the last norm's."""
        is_listed = name in self._blocks or name in _LAST_NORMS
        if not is_listed or not _is_usable(output) or not self._tokens.fits(output):
            return []
        picked = [(one, self._tokens.pick(output, one)) for one in self._tokens.selections]
        return [_Response(f"{name}#{one}", tuple(part.shape[1:]), _digest(part)) for one, part in picked]

    def listed(self) -> list[_Response]:
        """Modules, the token selections after theirs, and the nodes that give something new."""
        known = {one.content for one in self._responses if one.module is not None}
        listed: list[_Response] = []
        for one in self._responses:
            is_new = one.module is not None or one.name in self._computing
            if not is_new and one.content in known:
                continue
            selected = self._selections[one.name]
            listed += [one, *selected]
            known |= {each.content for each in (one, *selected)}
        return listed

    def roles(self) -> dict[str, str]:
        logits = self._logits()
        pooled = self._pooled(logits)
        blocks = [one for one in self._responses if one.name in self._blocks]
        roles = {one.name: BLOCK for one in blocks if one.digest != self._logits_digest}
        return roles | ({pooled: POOLED} if pooled else {}) | ({logits: LOGITS} if logits else {})

    def _logits(self) -> str | None:
        if not self._built.has_classes:
            return None
        equal = [one for one in self._responses if one.digest == self._logits_digest]
        leaves = [one for one in equal if one.is_leaf]
        return (leaves or equal)[-1].name if equal else None

    def _pooled(self, logits: str | None) -> str | None:
        """The last pooling after which nothing has spatial extent, or else that with which it ends."""
        last = max((place for place, one in enumerate(self._responses) if one.is_spatial), default=-1)
        after = self._responses[last + 1 :]
        poolings = [one for one in after if one.is_pooling and one.name != logits]
        if poolings:
            return poolings[-1].name
        if last < 0 or not after or after[0].digest == self._logits_digest:
            return None
        # Of a transformer it is the token that goes on, under its name as a selection.
        return next(one.name for one in self.listed() if one.content == after[0].content)


def _is_usable(output: Any) -> bool:
    if not isinstance(output, Tensor) or not output.is_floating_point():
        return False
    return output.requires_grad and output.ndim > 1 and output.shape[0] == _PROBE_IMAGES


def _digest(output: Tensor) -> bytes:
    """Equal for equal numbers, however they are arranged."""
    return hashlib.blake2b(output.detach().contiguous().numpy().tobytes(), digest_size=16).digest()
