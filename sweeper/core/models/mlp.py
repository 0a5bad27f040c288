"""The multilayer perceptron."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn

from sweeper.config.schema import Mlp
from sweeper.core.dropout import Dropout
from sweeper.core.models.parts import activation, refused


class MlpNet(nn.Module):
    """Blocks of Linear, norm, activation and dropout, then a linear output; any input of numbers is flattened.

    Args:
        config: width and depth, or widths; activation, norm and dropout.
        input_shape: shape of one row, without the batch.
        outputs: numbers per row that come out.
        tokens: how many tokens there are; 0: rows are numbers.

    Raises:
        InputError: rows are tokens, whose numbers mean nothing.
    """

    def __init__(self, config: Mlp, input_shape: tuple[int, ...], outputs: int, tokens: int = 0) -> None:
        super().__init__()
        if tokens:
            raise refused("mlp", "numbers", input_shape, tokens, "rnn, transformer", "write family: rnn")
        blocks: list[nn.Module] = [nn.Flatten()]
        incoming = math.prod(input_shape)
        for width in config.widths or [config.width] * config.depth:
            blocks.append(nn.Linear(incoming, width))
            if config.norm == "batch":
                blocks.append(nn.BatchNorm1d(width))
            elif config.norm == "layer":
                blocks.append(nn.LayerNorm(width))
            blocks += [activation(config.activation), Dropout(config.dropout)]
            incoming = width
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
