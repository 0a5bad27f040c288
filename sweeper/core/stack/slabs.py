"""The memory of K models of one shape: a row per lane."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

ALIGN = 32
"""Floats. Every tensor of every lane starts at a multiple of 128 bytes, so that kernels treat each lane alike, and a lane's bits
depend neither on which lane it is nor on how many there are."""


def padded(x: torch.Tensor, length: int, axis: int) -> torch.Tensor:
    """Zeros after the end of an axis."""
    if x.shape[axis] == length:
        return x
    more = x.new_zeros(*x.shape[:axis], length - x.shape[axis], *x.shape[axis + 1 :])
    return torch.cat([x, more], axis)


class Slabs:
    """Parameters, gradients and buffers of K models.

    Matrices and kernels (which optimizers decay) come first in a row, biases and norms (which they do not) after them.

    Args:
        template: a model of the shape.
        lanes: K.
        device: where the rows are.

    Attributes:
        values: float32 [K, n], the parameters; rows are padded with zeros.
        gradient: float32 [K, n].
        decayed: length of the part that is decayed.
        leaves: by parameter name a view [K, *shape] of ``values`` that autograd differentiates by.
        gradients: by parameter name a view [K, *shape] of ``gradient``.
        buffers: by buffer name [K, *shape].
    """

    def __init__(self, template: nn.Module, lanes: int, device: torch.device) -> None:
        parameters = sorted(template.named_parameters(), key=lambda item: item[1].ndim <= 1)
        room = {name: -(-parameter.numel() // ALIGN) * ALIGN for name, parameter in parameters}
        self.values = torch.zeros(lanes, sum(room.values()), device=device)
        self.gradient = torch.zeros_like(self.values)
        self.decayed = sum(room[name] for name, parameter in parameters if parameter.ndim > 1)
        self.leaves: dict[str, torch.Tensor] = {}
        self.gradients: dict[str, torch.Tensor] = {}
        begin = 0
        for name, parameter in parameters:
            part = slice(begin, begin + parameter.numel())
            self.leaves[name] = self.values[:, part].view(lanes, *parameter.shape).requires_grad_()
            self.gradients[name] = self.gradient[:, part].view(lanes, *parameter.shape)
            begin += room[name]
        self.buffers = {name: buffer.to(device).repeat(lanes, *[1] * buffer.ndim) for name, buffer in template.named_buffers()}
        self._names = list(template.state_dict())

    def __len__(self) -> int:
        return len(self.values)

    def take_gradients(self, gradients: tuple[torch.Tensor, ...]) -> None:
        """Brings gradients in the order of ``leaves`` into ``gradient``."""
        torch._foreach_copy_(list(self.gradients.values()), gradients)

    def add_gradients(self, gradients: tuple[torch.Tensor, ...]) -> None:
        """Adds gradients in the order of ``leaves`` to ``gradient``."""
        torch._foreach_add_(list(self.gradients.values()), gradients)

    @torch.no_grad()
    def load(self, row: int, state: Mapping[str, torch.Tensor]) -> None:
        """Copies a model's state into a row, whatever was there before."""
        # Its padding too: where a lane diverged, clipping by a norm that is not finite has left NaN there.
        self.values[row] = 0.0
        self.gradient[row] = 0.0
        for name, tensor in self.state(row).items():
            tensor.copy_(state[name])

    def state(self, row: int) -> dict[str, torch.Tensor]:
        """The row as the ``state_dict`` of one model, in its order; views."""
        return {name: (self.leaves[name] if name in self.leaves else self.buffers[name])[row].detach() for name in self._names}
