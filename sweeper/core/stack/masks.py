"""The dropout masks of a stack: each lane's from its own trial's noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import torch
from torch import nn

from sweeper.core.dropout import Noise, dropouts, kept, scale, threshold, units


@dataclass(frozen=True)
class Drop:
    """A dropout layer met on the way through a model.

    Attributes:
        layer: its place among ``dropouts(model)``.
        shape: of one row there.
        of: see ``Dropout``.
        p: of the model at hand; other lanes may have another.
    """

    layer: int
    shape: tuple[int, ...]
    of: str
    p: float


@torch.no_grad()
def drops(model: nn.Module, input_shape: tuple[int, ...], tokens: int = 0) -> list[Drop]:
    """The dropout layers in the order in which a row passes them.

    Args:
        model: on the CPU; it sees one batch of zeros. (Not on the meta device, whose first use imports for a second.)
        input_shape: of one row.
        tokens: see ``models.build``.
    """
    layers = dropouts(model)
    met: list[Drop] = []

    def note(place: int, x: torch.Tensor) -> None:
        met.append(Drop(place, tuple(x.shape[1:]), layers[place].of, layers[place].p))

    hooks = [
        dropout.register_forward_pre_hook(lambda _module, inputs, place=place: note(place, inputs[0]))
        for place, dropout in enumerate(layers)
    ]
    model.eval()(torch.zeros(2, *input_shape, dtype=torch.int64 if tokens else torch.float32))
    for hook in hooks:
        hook.remove()
    return met


class Masks:
    """Draws what K lanes drop.

    Args:
        met: the dropout layers in the order in which a row passes them.
        device: where the masks are wanted.

    Attributes:
        met: the same.
    """

    def __init__(self, met: Sequence[Drop], device: torch.device) -> None:
        self._shapes = [drop.shape for drop in met]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        self._device = device
        self.met = tuple(met)

    def bytes_per_step(self, rows: int) -> int:
        """What one lane's noise for one step takes, with the masks made of it."""
        return (2 + 4) * sum(self._units(rows))

    def of_steps(
        self, noises: Sequence[Noise], probabilities: Sequence[Sequence[float]], steps: int, rows: int, padded: int
    ) -> Iterator[list[torch.Tensor]]:
        """The masks of some steps in turn: in the order of ``met`` [K, padded, *shape], scaled; empty lists where no lane drops anything.

        A lane draws bits for those layers only in which it drops anything, as a single model does.

        Args:
            noises: by lane, of this epoch.
            probabilities: by lane, of each layer in the order of ``met``.
            steps: how many.
            rows: of a batch; the masks of rows beyond are zero.
            padded: rows of a batch as it lies in memory.
        """
        if not self._shapes or not any(map(any, probabilities)):
            yield from repeat([], steps)
            return
        lanes, units = len(noises), self._units(rows)
        real = (torch.arange(padded, device=self._device) < rows).float().view(1, 1, padded, 1)
        every = [
            torch.empty(lanes, steps, padded, size, device=self._device) if any(ps) else real.expand(lanes, steps, padded, size)
            for size, ps in zip(self._sizes, zip(*probabilities, strict=True), strict=True)
        ]
        for lane, (noise, ps) in enumerate(zip(noises, probabilities, strict=True)):
            # All steps at once: what a call costs is paid once for them.
            drawn = noise.draw(steps * sum(unit for unit, p in zip(units, ps, strict=True) if p)).view(steps, -1)
            begin = 0
            for masks, size, unit, p in zip(every, self._sizes, units, ps, strict=True):
                if p:
                    piece = drawn[:, begin : begin + rows * size].view(steps, rows, size)
                    kept(piece, threshold(p), scale(p), out=masks[lane, :, :rows])
                    masks[lane, :, rows:] = 0.0
                    begin += unit
                elif masks.is_contiguous():  # of its own, since another lane drops something here
                    masks[lane] = real[0]
        for step in zip(*(masks.unbind(1) for masks in every), strict=True):
            yield [mask.view(lanes, padded, *shape) for mask, shape in zip(step, self._shapes, strict=True)]

    def _units(self, rows: int) -> list[int]:
        """How many numbers of noise each layer uses up in a step."""
        return [units(rows * size) for size in self._sizes]
