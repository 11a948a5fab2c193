"""A network's pass to some layers and back as compiled code, by torch.compile."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workers.iri.extractor import row_per_image
from workers.iri.graph import truncated
from workers.iri.layer_errors import LayerNotFound

COMPILERS = ("none", "inductor", "aot_eager")


class CompileError(ValueError):
    """A compiler that can't be; the message names the value given and what is allowed."""


def check_compiler(compiler: str) -> None:
    """Raise CompileError for an unknown compiler.

    `inductor`: torch's own, which writes Triton on a GPU and C++ on a CPU (needs a C++ compiler there).
    `aot_eager`: the same traces run by torch's usual kernels, no faster, to find out what tracing changes.
    """
    if compiler not in COMPILERS:
        raise CompileError(f"compiler is {compiler!r}; allowed: {', '.join(COMPILERS)}")


class CompiledExtractor:
    """Gives what Extractor gives, compiled at the first call; passes back to the image are compiled as well.

    Batches of any size share one compiled pass, a batch of one has its own; another precision has others.
    Raises CompileError for a network whose code can't be traced.
    """

    def __init__(self, module: nn.Module, layers: Sequence[str], compiler: str) -> None:
        check_compiler(compiler)
        try:
            self._module = truncated(module, layers)
        except LayerNotFound as error:
            raise CompileError(
                f"compiler is {compiler!r}; allowed for this network: none ({error})"
            ) from error
        self._layers = layers
        self._run = torch.compile(self._module, backend=compiler)

    def __call__(self, inputs: Tensor) -> dict[str, Tensor]:
        """The layers' responses to normalised images (n, 3, h, w), each flattened to (n, d)."""
        if len(inputs) > 1:  # torch takes a size of one for a constant
            torch._dynamo.maybe_mark_dynamic(inputs, 0)
        outputs = self._run(inputs)
        return {
            layer: row_per_image(self._module, layer, output, len(inputs))
            for layer, output in zip(self._layers, outputs, strict=True)
        }
