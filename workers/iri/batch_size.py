"""How many images a device holds at a time, from what one image was measured to need."""

from __future__ import annotations

import torch
from torch import Tensor

from workers.iri.networks import BuiltNetwork
from workers.iri.responder import Responder

# What the gradients on their way back, the kernels' work space and the allocator's gaps take beside.
_SHARE = 0.5
MOST = 256
# A CPU is no faster beyond, and a fixed number keeps results repeatable there.
MOST_ON_CPU = 32


def held_bytes(network: BuiltNetwork, layer: str, size: int) -> int:
    """Bytes that one image's forward pass to the layer holds for the way back, measured on the CPU.

    `size`: height and width in pixels. A tensor that several operations hold counts once, weights not at all.
    Raises LayerNotFound, LayerError or SizeRefused for what can't be.
    """
    responder = Responder(network, [layer], size, torch.device("cpu"))
    held: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            held[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    image = torch.full((1, 3, size, size), 0.5, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        responder(image)
    return sum(tensor.untyped_storage().nbytes() for tensor in held.values())


def fitting_batch_size(network: BuiltNetwork, layer: str, size: int, memory_bytes: int) -> int:
    """How many images a search may hold at a time in so much memory, from 1 to MOST.

    Half of what the weights leave is counted on; where that is too much still, the search halves its passes.
    Raises as `held_bytes` does.
    """
    weights = sum(one.nbytes for one in network.module.state_dict().values())
    free = _SHARE * (memory_bytes - weights)
    return max(1, min(MOST, int(free / held_bytes(network, layer, size))))


def default_batch_size(network: BuiltNetwork, layer: str, size: int, device: torch.device, count: int) -> int:
    """Of `count` images MOST_ON_CPU at most, on a GPU what its memory holds."""
    if device.type != "cuda":
        return min(count, MOST_ON_CPU)
    memory = torch.cuda.get_device_properties(device).total_memory
    return min(count, fitting_batch_size(network, layer, size, memory))
