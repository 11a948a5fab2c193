"""Which part of a transformer's token sequence a layer means: `blocks.5#class`, `#patches`, `#mean`.

    class     the class token, (n, d)
    patches   all patch tokens, (n, t, d), without class, distillation and register tokens
    mean      the mean over the patch tokens, (n, d)

The part after `#` stands behind the name of any module or graph node that gives one token sequence: (n, t, d)
in vision transformers, (n, h, w, d) in Swin transformers, which have no class token.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from workers.iri.layer_errors import LayerError, LayerNotFound

CLASS, PATCHES, MEAN = "class", "patches", "mean"
SELECTIONS = (CLASS, PATCHES, MEAN)


@dataclass(frozen=True)
class TokenSequence:
    """The token sequence of a network: `leading` tokens come before the patches, `length` there are in all.

    `is_grid`: the patches lie in rows and columns, (n, h, w, d), of any size. A network that is no
    transformer has length 0.
    """

    leading: int = 0
    length: int = 0
    is_grid: bool = False

    def fits(self, output: Tensor) -> bool:
        if self.is_grid:  # of square images; (n, d, h, w) is none
            return output.ndim == 4 and output.shape[1] == output.shape[2]
        return self.length > 0 and output.ndim == 3 and output.shape[1] == self.length

    @property
    def selections(self) -> tuple[str, ...]:
        return SELECTIONS if self.leading else (PATCHES, MEAN)

    def pick(self, output: Tensor, selection: str) -> Tensor:
        if selection == CLASS:
            return output[:, 0]
        patches = output.flatten(1, -2)[:, self.leading :]
        return patches if selection == PATCHES else patches.mean(dim=1)


def token_sequence(module: nn.Module) -> TokenSequence:
    """What torchvision's and timm's transformers, each under names of its own, say about their tokens."""
    known = getattr(module, "meta", {}).get("tokens")  # a traced copy has lost the original's attributes
    if isinstance(known, TokenSequence):
        return known
    patches = getattr(getattr(module, "patch_embed", None), "num_patches", None)
    leading = getattr(module, "num_prefix_tokens", None)
    if isinstance(patches, int) and isinstance(leading, int):
        return TokenSequence(leading, leading + patches)
    length = getattr(module, "seq_length", None)
    if isinstance(getattr(module, "class_token", None), Tensor) and isinstance(length, int):
        return TokenSequence(1, length)
    return TokenSequence(is_grid="Swin" in type(module).__name__)


def split(layer: str) -> tuple[str, str]:
    """Name and token selection of a layer; the selection is empty where the whole response is meant.

    >>> split("blocks.5#class")
    ('blocks.5', 'class')

    Raises LayerNotFound for an unknown selection.
    """
    name, mark, selection = layer.partition("#")
    if mark and selection not in SELECTIONS:
        allowed = ", ".join(f"#{one}" for one in SELECTIONS)
        raise LayerNotFound(f"layer {layer!r} selects '#{selection}'; allowed: {allowed}")
    return name, selection


def pick(module: nn.Module, layer: str, output: Tensor) -> Tensor:
    """The tokens that `layer` selects from its response `output`, or all of it where it selects none.

    `module`: the whole network, which knows how many tokens come before the patches.
    Raises LayerError where the response is no token sequence or has no such token.
    """
    name, selection = split(layer)
    if not selection:
        return output
    sequence = token_sequence(module)
    if not sequence.fits(output):
        allowed = f"; allowed: layers that give {sequence.length} tokens" if sequence.length else ""
        raise LayerError(
            f"layer {name!r} gives shape {tuple(output.shape[1:])} per image, no sequence of tokens{allowed}"
        )
    if selection not in sequence.selections:
        raise LayerError(f"{layer!r}: the network has no class token; allowed: #{PATCHES}, #{MEAN}")
    return sequence.pick(output, selection)
