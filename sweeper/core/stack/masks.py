"""The dropout masks of a stack: each lane's from its own trial's noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
        """What one lane's noise for one step takes."""
        return 2 * sum(self._units(rows))

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
            for _ in range(steps):
                yield []
            return
        lanes = len(noises)
        sizes = [size * any(ps) for size, ps in zip(self._units(rows), zip(*probabilities, strict=True), strict=True)]
        bits = torch.zeros(lanes, steps, sum(sizes), dtype=torch.int16, device=self._device)
        for row, noise, ps in zip(bits, noises, probabilities, strict=True):
            taken = [size for size, p in zip(sizes, ps, strict=True) if p]
            if not taken:
                continue
            drawn = noise.draw(steps * sum(taken)).view(steps, -1)
            if len(taken) == len(sizes):
                row.copy_(drawn)
                continue
            pieces = iter(torch.split(drawn, taken, 1))
            for place, p in zip(torch.split(row, sizes, 1), ps, strict=True):
                if p:
                    place.copy_(next(pieces))
        low = torch.tensor([[threshold(p) for p in ps] for ps in probabilities], dtype=torch.int16, device=self._device)
        factor = torch.tensor([[scale(p) for p in ps] for ps in probabilities], device=self._device)
        real = (torch.arange(padded, device=self._device) < rows).to(factor.dtype)
        for step in bits.unbind(1):
            masks = []
            for layer, (piece, shape, size) in enumerate(zip(torch.split(step, sizes, 1), self._shapes, self._sizes, strict=True)):
                if not piece.shape[1]:  # no lane drops anything here
                    masks.append(real.view(1, padded, *[1] * len(shape)).expand(lanes, padded, *shape))
                    continue
                mask = kept(piece[:, : rows * size], low[:, layer : layer + 1], factor[:, layer : layer + 1])
                if padded > rows:
                    mask = torch.cat([mask, mask.new_zeros(lanes, (padded - rows) * size)], 1)
                masks.append(mask.view(lanes, padded, *shape))
            yield masks

    def _units(self, rows: int) -> list[int]:
        """How many numbers of noise each layer uses up in a step."""
        return [units(rows * size) for size in self._sizes]
