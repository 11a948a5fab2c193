"""The search as it is usually written: Nanda et al. (AAAI 2023), straight from the formulas.

Every step runs the whole network, classifier included, and keeps every image in the batch; the gradient is
divided by its norm per image; the losses are read back to decide which iterates are kept.
It shares no code with the library, so that the two can be compared.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from workers.iri.networks import BuiltNetwork

CPU = torch.device("cpu")


class Reference:
    """x <- clamp(x - eta * grad / (||grad||_2 + 1e-10), 0, 1) with the best iterate of each image kept.

    `starts`, `targets`: (n, 3, h, w) in [0, 1]. `errors`: the least relative error of each image so far.
    """

    def __init__(
        self,
        network: BuiltNetwork,
        layer: str,
        targets: Tensor,
        starts: Tensor,
        eta: float = 1.0,
        device: torch.device = CPU,
    ) -> None:
        self._network, self._eta = network, eta
        self._module = copy.deepcopy(network.module).to(device)
        self._layer: nn.Module = self._module.get_submodule(layer)
        with torch.no_grad():
            self._wanted = self._respond(targets.to(device))
        self.images = starts.to(device, copy=True)
        self.best = starts.to(device, copy=True)
        self.errors = [float("inf")] * len(starts)
        self.steps = 0

    def _respond(self, images: Tensor) -> Tensor:
        seen: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            seen.append(output.clone())

        handle = self._layer.register_forward_hook(keep)
        self._module(self._network.normalize(images))
        handle.remove()
        return seen[0].flatten(1)

    def step(self) -> None:
        """One step of the descent."""
        images = self.images.requires_grad_()
        losses = (self._respond(images) - self._wanted).norm(dim=1) / self._wanted.norm(dim=1)
        (gradient,) = torch.autograd.grad(losses.sum(), images)
        self.images = images.detach()
        for row, loss in enumerate(losses.tolist()):
            if loss < self.errors[row]:
                self.errors[row] = loss
                self.best[row] = self.images[row]
        norms = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        self.images = (self.images - self._eta * gradient / (norms + 1e-10)).clamp(0, 1)
        self.steps += 1

    def state(self) -> dict[str, Any]:
        """What `resume` needs to go on from here."""
        return {"images": self.images, "best": self.best, "errors": self.errors, "steps": self.steps}

    def resume(self, state: dict[str, Any]) -> None:
        device = self.images.device
        self.images, self.best = state["images"].to(device), state["best"].to(device)
        self.errors, self.steps = list(state["errors"]), int(state["steps"])
