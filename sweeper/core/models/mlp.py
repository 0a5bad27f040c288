"""The multilayer perceptron."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn

from sweeper.config.schema import Mlp
from sweeper.core.dropout import Dropout
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
            blocks += [activation(config.activation), Dropout(config.dropout)]
            incoming = config.width
        self.hidden = nn.Sequential(*blocks)
        self.output = nn.Linear(incoming, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps rows ``[n, *input_shape]`` to ``[n, outputs]``."""
        out: torch.Tensor = self.output(self.hidden(x))
        return out

    def sequence(self) -> Iterator[tuple[str, nn.Module]]:
        """All there is to ``forward``: the modules one after another, each with its name in the model."""
        yield from ((f"hidden.{name}", module) for name, module in self.hidden.named_children())
        yield "output", self.output
