"""The multilayer perceptron."""

from __future__ import annotations

import math

import torch
from torch import nn

from sweeper.config.schema import Mlp
from sweeper.core.models.parts import activation


class MlpNet(nn.Module):
    """``depth`` blocks of Linear, norm, activation and dropout, then a linear output; any input is flattened.

    Args:
        config: width, depth, activation, norm and dropout.
        input_shape: shape of one row, without the batch.
        outputs: numbers per row that come out.
    """

    def __init__(self, config: Mlp, input_shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = [nn.Flatten()]
        incoming = math.prod(input_shape)
        for _ in range(config.depth):
            blocks.append(nn.Linear(incoming, config.width))
            if config.norm == "batch":
                blocks.append(nn.BatchNorm1d(config.width))
            elif config.norm == "layer":
                blocks.append(nn.LayerNorm(config.width))
            blocks.append(activation(config.activation))
            if config.dropout > 0:
                blocks.append(nn.Dropout(config.dropout))
            incoming = config.width
        self.hidden = nn.Sequential(*blocks)
        self.output = nn.Linear(incoming, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps rows ``[n, *input_shape]`` to ``[n, outputs]``."""
        out: torch.Tensor = self.output(self.hidden(x))
        return out
