"""torchvision beside a torch without its compiled operators.

A torchvision built for CUDA doesn't find its libraries next to a CPU-only torch; its import then stops at
`operator torchvision::nms does not exist`, because it registers fake kernels for operators that were never
declared. No classification network uses those operators, so declaring their schemas is enough.
"""

import importlib
import sys
from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# A library object takes its operators with it when it is collected.
_declared: list[torch.library.Library] = []


def import_torchvision() -> ModuleType:
    """torchvision, with the schemas of its missing operators declared if its import fails without them.

    Raises ImportError or RuntimeError where torchvision can't be imported for another reason.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    _forget_half_imported()
    _declare_operators()
    return importlib.import_module("torchvision")


def _forget_half_imported() -> None:
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]


def _declare_operators() -> None:
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)
