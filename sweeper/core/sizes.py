"""How big a model is: its parameters, and what a row costs on its way through.

Importing this loads no torch, since the command line and the tracker tell sizes that were counted elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

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

    The families that sweeper ships are counted layer by layer, in a millisecond. Any other model may multiply outside of its layers, and
    so torch's own counter watches its operations: it imports 800 modules at first use, a second of processor time.

    Args:
        model: on any device.
        input_shape: of one row, without the batch.
        tokens: see ``sweeper.core.models.build``.
    """
    import torch

    from sweeper.core.models import SHIPPED

    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    rows = torch.zeros(ROWS, *input_shape, dtype=torch.int64 if tokens else torch.float32, device=device)
    training = model.training
    model.eval()
    with torch.no_grad():
        flops = (_by_layers if isinstance(model, SHIPPED) else _by_operations)(model, rows)
    model.train(training)
    return Size(parameters_of(model), flops // ROWS)


def _by_layers(model: nn.Module, rows: torch.Tensor) -> int:
    """Of the layers that the shipped families are made of."""
    from torch import nn

    from sweeper.core.models.transformer import Attention

    counts: dict[type[nn.Module], Callable[[Any, torch.Tensor, torch.Tensor], int]] = {
        nn.Linear: lambda layer, _, out: 2 * out.numel() * layer.in_features,
        nn.Conv2d: lambda layer, _, out: 2 * out.numel() * layer.weight[0].numel(),
        nn.GRU: _recurrent,
        nn.LSTM: _recurrent,
        # Queries by keys, and weights by values; its projections are linear layers of their own.
        Attention: lambda _, x, out: 2 * 2 * out.numel() * x.shape[1],
    }
    found: list[int] = []

    def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
        out = output[0] if isinstance(output, tuple) else output
        found.append(counts[type(layer)](layer, inputs[0], out))

    hooks = [layer.register_forward_hook(hook) for layer in model.modules() if type(layer) in counts]
    try:
        model(rows)
    finally:
        for one in hooks:
            one.remove()
    return sum(found)


def _recurrent(layer: nn.RNNBase, x: torch.Tensor, _: torch.Tensor) -> int:
    """Of the matrices of one layer, at each step of each row ``x`` [n, time, features]."""
    return 2 * x.shape[0] * x.shape[1] * sum(weight.numel() for weight in layer.parameters() if weight.ndim > 1)


def _by_operations(model: nn.Module, rows: torch.Tensor) -> int:
    """Of whatever the model computes."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    mapping: dict[Any, Any] = {torch.ops.aten.mkldnn_rnn_layer: _recurrent_kernel}
    # Attention as plain products, and torch's own encoder layer by layer: their fused kernels are not counted.
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False, custom_mapping=mapping) as counter:
            model(rows)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return int(counter.get_total_flops())


def _recurrent_kernel(x: tuple[int, ...], *weights: Any, **_: Any) -> int:
    """Of one recurrent layer ``[time, n, width]``, which torch runs as a whole on a CPU; the first two weights are matrices."""
    return 2 * x[0] * x[1] * sum(int(weight[0] * weight[1]) for weight in weights[:2])


def _short(flops: int) -> str:
    for unit, size in (("GFLOP", 1e9), ("MFLOP", 1e6), ("kFLOP", 1e3)):
        if flops >= size:
            return f"{flops / size:.3g} {unit}"
    return f"{flops} FLOP"
