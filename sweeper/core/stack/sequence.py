"""K models that are a sequence of known layers, written out as batched layers: the fast way for multilayer perceptrons."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

import torch
from torch import nn

from sweeper.core.dropout import Dropout
from sweeper.core.stack.layers import SLOPES, Activation, BatchNorm, Layer, LayerNorm, Linear, Masked, Pass
from sweeper.core.stack.slabs import ALIGN, padded

LossGradient: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""Of outputs [K, rows, outputs]: the float32 gradient of the lanes' summed losses by them."""


class Forward(Protocol):
    """K models as one function."""

    row_unit: int
    flat: bool

    def __call__(self, x: torch.Tensor, this: Pass) -> torch.Tensor:
        """Maps ``x`` [K, rows (padded to a multiple of ``row_unit``), *input_shape (one axis if ``flat``)] to [K, rows, outputs]."""

    def differentiate(self, x: torch.Tensor, this: Pass, by: LossGradient) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """The outputs [K, rows, outputs], and the loss's gradients by ``this.leaves`` in their order."""

    def activations(self, x: torch.Tensor, this: Pass) -> list[torch.Tensor]:
        """The outputs [K, rows, ...] of every activation on the way of ``x`` through the models."""


class SequenceForward:
    """The layers one after another, each for all lanes; ``of`` makes it where it can be made."""

    flat = True

    def __init__(self, layers: Sequence[Layer], row_unit: int) -> None:
        self.row_unit = row_unit
        self._layers = layers

    @classmethod
    def of(cls, model: nn.Module, input_shape: tuple[int, ...], dtype: torch.dtype) -> SequenceForward | None:
        """The batched layers of a model, or None when it is no sequence of known ones.

        Args:
            model: says its ``sequence()``, or is an ``nn.Sequential``.
            input_shape: of one row.
            dtype: of matrix products; norms are computed in float32.
        """
        named = _sequence(model)
        if not named:
            return None
        if isinstance(named[0][1], nn.Flatten):
            del named[0]
        elif len(input_shape) != 1:
            return None
        layers: list[Layer] = []
        widths = [math.prod(input_shape)]
        drops = 0
        for name, module in named:
            if type(module) is nn.Linear:
                layers.append(Linear(name, module, dtype, first=not layers))
                widths.append(module.out_features)
            elif type(module) is nn.BatchNorm1d:
                layers.append(BatchNorm(name, module))
            elif type(module) is nn.LayerNorm:
                layers.append(LayerNorm(name, module))
            elif type(module) is Dropout:
                layers.append(Masked(drops))
                drops += 1
            elif type(module) in SLOPES:
                layers.append(Activation(module))
            elif type(module) is not nn.Identity:
                return None
        # So that every layer's part of a lane is a whole number of ALIGN floats: see slabs.
        return cls(layers, math.lcm(*(ALIGN // math.gcd(ALIGN, width) for width in widths)))

    @torch.no_grad()
    def __call__(self, x: torch.Tensor, this: Pass) -> torch.Tensor:
        """See ``Forward``."""
        for layer in self._layers:
            x, _ = layer.forward(x, this)
        return x[:, : this.rows]

    @torch.no_grad()
    def differentiate(self, x: torch.Tensor, this: Pass, by: LossGradient) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """See ``Forward``."""
        tape = []
        for layer in self._layers:
            before = x.dtype
            x, kept = layer.forward(x, this)
            tape.append((layer, kept, before))
        outputs = x[:, : this.rows]
        gradient = padded(by(outputs), x.shape[1], 1).to(x.dtype)
        found: dict[str, torch.Tensor] = {}
        for layer, kept, before in reversed(tape):
            gradient, by_name = layer.backward(gradient, kept, this.rows)
            gradient = gradient.to(before)
            found.update(by_name)
        return outputs, tuple(found[name] for name in this.leaves)

    @torch.no_grad()
    def activations(self, x: torch.Tensor, this: Pass) -> list[torch.Tensor]:
        """See ``Forward``."""
        found = []
        for layer in self._layers:
            x, _ = layer.forward(x, this)
            if isinstance(layer, Activation):
                found.append(x[:, : this.rows])
        return found


def _sequence(model: nn.Module) -> list[tuple[str, nn.Module]]:
    if isinstance(model, nn.Sequential):
        return list(model.named_children())
    told: Callable[[], Iterable[tuple[str, nn.Module]]] | None = getattr(model, "sequence", None)
    return list(told()) if told is not None else []
