"""How big a model is: its parameters, and what a row costs on its way through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

ROWS = 2
"""Rows of the pass that is counted: of a single one torch computes some products in another way."""


@dataclass(frozen=True)
class Size:
    """A model's size.

    Attributes:
        parameters: numbers that training changes.
        flops: floating-point operations of matrix products, convolutions and attention in the forward pass of one row, two per
            multiplication and addition; a training step takes about three times as many per row.
    """

    parameters: int
    flops: int

    def __str__(self) -> str:
        return f"{self.parameters:,} parameters, {_short(self.flops)} a row"


def parameters_of(model: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def size_of(model: nn.Module, input_shape: tuple[int, ...], tokens: int = 0) -> Size:
    """The size of a model; it sees rows of zeros in evaluation mode, and its mode is as before afterwards.

    Args:
        model: on the CPU.
        input_shape: of one row, without the batch.
        tokens: see ``sweeper.core.models.build``.
    """
    from torch.utils.flop_counter import FlopCounterMode

    rows = torch.zeros(ROWS, *input_shape, dtype=torch.int64 if tokens else torch.float32)
    training = model.training
    mapping: dict[Any, Any] = {torch.ops.aten.mkldnn_rnn_layer: _recurrent_flops}
    # Attention as plain products: the CPU's fused kernel for it is not counted.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        model.eval()(rows)
    model.train(training)
    return Size(parameters_of(model), counter.get_total_flops() // ROWS)


def _recurrent_flops(x: tuple[int, ...], *weights: Any, **_: Any) -> int:
    """Of one recurrent layer ``[time, n, width]``, which torch runs as a whole on a CPU; the first two weights are matrices."""
    return 2 * x[0] * x[1] * sum(int(weight[0] * weight[1]) for weight in weights[:2])


def _short(flops: int) -> str:
    for unit, size in (("GFLOP", 1e9), ("MFLOP", 1e6), ("kFLOP", 1e3)):
        if flops >= size:
            return f"{flops / size:.3g} {unit}"
    return f"{flops} FLOP"
