"""ReLUs at the matched layer that pass the gradient through as if they were not there.

Where a ReLU's output is zero its gradient is, too, so an image whose units are all silent could not move
(Feather et al. 2023; Nanda et al. 2023 do the same at the last ReLU before the pooled features).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

# Between a ReLU and the layer's response these only rearrange, pool or join; anything that computes ends the
# way, so that ReLUs further in keep their gradients.
_WAYS = (
    "AdaptiveAvgPool2D", "AdaptiveMaxPool2D", "Amax", "AsStrided", "AvgPool2D", "Cat", "Clone", "Expand",
    "MaxPool2DWithIndices", "Mean", "Permute", "ReshapeAlias", "Select", "Slice", "Squeeze", "ToCopy",
    "Transpose", "UnsafeView", "Unsqueeze", "View",
)  # fmt: skip


def pass_gradient_through(response: Tensor) -> int:
    """From now on the ReLUs that end at this response pass its gradient unchanged; returns how many do.

    `response`: a layer's, of one forward pass, still joined to the image; other passes are not touched.
    ReLU and ReLU6 count, as modules or functions, behind pooling, flattening, selecting and concatenating,
    but not behind anything with weights or sums. A layer whose response no ReLU ends keeps its gradient.

    >>> image = torch.tensor([-1.0, 2.0], requires_grad=True)
    >>> response = image.relu()
    >>> pass_gradient_through(response)
    1
    >>> torch.autograd.grad(response.sum(), image)
    (tensor([1., 1.]),)
    """
    waiting, seen, passed = [response.grad_fn], set(), 0
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if _is_relu(node):
            node.register_hook(_unchanged)
            passed += 1
        elif _kind(node) in _WAYS:
            waiting += [before for before, _ in node.next_functions]
    return passed


def _kind(node: Any) -> str:
    """The operation's name: "ReluBackward0" is a "Relu"."""
    return str(node.name()).partition("Backward")[0]


def _is_relu(node: Any) -> bool:
    # ReLU6 is a hard tanh from 0 to 6; one from -1 to 1 is another function.
    return _kind(node) == "Relu" or (_kind(node) == "Hardtanh" and node._saved_min_val == 0)


def _unchanged(_inward: tuple[Any, ...], outward: tuple[Any, ...]) -> tuple[Any, ...]:
    return outward
