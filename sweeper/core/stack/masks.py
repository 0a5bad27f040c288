"""The dropout masks of a stack: each lane's from its own trial's noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from sweeper.core.dropout import Noise, dropouts, scale, threshold, units


@dataclass(frozen=True)
class Drop:
    """A dropout layer met on the way through a model.

    Attributes:
        layer: its place among ``dropouts(model)``.
        shape: of one row there.
    """

    layer: int
    shape: tuple[int, ...]


@torch.no_grad()
def drops(model: nn.Module, input_shape: tuple[int, ...]) -> list[Drop]:
    """The dropout layers in the order in which a row passes them.

    Args:
        model: on the CPU; it sees one batch of zeros. (Not on the meta device, whose first use imports for a second.)
        input_shape: of one row.
    """
    met: list[Drop] = []

    def note(place: int, x: torch.Tensor) -> None:
        met.append(Drop(place, tuple(x.shape[1:])))

    hooks = [
        dropout.register_forward_pre_hook(lambda _module, inputs, place=place: note(place, inputs[0]))
        for place, dropout in enumerate(dropouts(model))
    ]
    model.eval()(torch.zeros(2, *input_shape))
    for hook in hooks:
        hook.remove()
    return met


class Masks:
    """Draws what K lanes drop.

    Args:
        met: the dropout layers in the order in which a row passes them.
        device: where the masks are wanted.
    """

    def __init__(self, met: Sequence[Drop], device: torch.device) -> None:
        self._shapes = [drop.shape for drop in met]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        self._device = device

    def bytes_per_step(self, rows: int) -> int:
        """What one lane's noise for one step takes."""
        return 2 * self._per_step(rows)

    def of_steps(
        self, noises: Sequence[Noise], probabilities: Sequence[float], steps: int, rows: int, padded: int
    ) -> Iterator[list[torch.Tensor]]:
        """The masks of some steps in turn: in the order of ``met`` [K, padded, *shape], scaled; empty lists where no lane drops anything.

        Args:
            noises: by lane, of this epoch.
            probabilities: by lane.
            steps: how many.
            rows: of a batch; the masks of rows beyond are zero.
            padded: rows of a batch as it lies in memory.
        """
        if not self._shapes or not any(probabilities):
            for _ in range(steps):
                yield []
            return
        lanes, per_step = len(noises), self._per_step(rows)
        bits = torch.zeros(lanes, steps * per_step, dtype=torch.int16, device=self._device)
        for row, noise, p in zip(bits, noises, probabilities, strict=True):
            if p:
                row.copy_(noise.draw(steps * per_step))
        low = torch.tensor([threshold(p) for p in probabilities], dtype=torch.int16, device=self._device).unsqueeze(1)
        factor = torch.tensor([scale(p) for p in probabilities], device=self._device).unsqueeze(1)
        for step in bits.view(lanes, steps, per_step).unbind(1):
            masks = []
            begin = 0
            for shape, size in zip(self._shapes, self._sizes, strict=True):
                kept = (step[:, begin : begin + rows * size] >= low) * factor
                if padded > rows:
                    kept = torch.cat([kept, kept.new_zeros(lanes, (padded - rows) * size)], 1)
                masks.append(kept.view(lanes, padded, *shape))
                begin += units(rows * size)
            yield masks

    def _per_step(self, rows: int) -> int:
        return sum(units(rows * size) for size in self._sizes)
