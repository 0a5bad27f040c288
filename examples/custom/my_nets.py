"""A network that sweeper does not ship: gated linear layers (Dauphin et al., 2017) with shortcuts around them."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import nn


class Gated(nn.Module):
    """``x + scale * linear(x) * gate(linear(x))``."""

    def __init__(self, width: int, gate: nn.Module, scale: float) -> None:
        super().__init__()
        self.value = nn.Linear(width, width)
        self.gate = nn.Sequential(nn.Linear(width, width), gate)
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps ``[n, width]`` to the same shape."""
        return x + self.scale * self.value(x) * self.gate(x)


def build(
    input_shape: tuple[int, ...],
    outputs: int,
    width: int = 64,
    depth: int = 2,
    gate: Literal["sigmoid", "tanh"] = "sigmoid",
    scale: float = 1.0,
) -> nn.Module:
    """The model for rows of this shape: sweeper calls it with the data's two numbers and what the space has under ``params``.

    Args:
        input_shape: of one row, without the batch, such as ``(1, 8, 8)``.
        outputs: numbers per row that come out: classes, or 1 for regression.
        width: units of each layer.
        depth: gated layers.
        gate: what bends the gate.
        scale: of what a layer adds.
    """
    bend = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh}[gate]
    output = nn.Linear(width, outputs)
    nn.init.normal_(output.weight, std=0.01)  # so that the first loss is that of a uniform guess
    nn.init.zeros_(output.bias)
    layers = [Gated(width, bend(), scale) for _ in range(depth)]
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), width), *layers, output)
