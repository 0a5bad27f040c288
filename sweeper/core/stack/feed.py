"""What K lanes are fed in an epoch: each its own order of the rows, its own masks, its own learning rates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from sweeper.core.batches import Plan, Resident, order_of
from sweeper.core.dropout import Noise
from sweeper.core.stack.forward import Fit
from sweeper.core.stack.fused_lane import FusedLane

LANE_BYTES = 4 * 2**20
"""Rows and noise of a lane that are gathered at a time. It does not depend on the number of lanes, and so neither does the order in
which numbers are summed."""


@dataclass(frozen=True)
class Batch:
    """One step of every lane.

    Attributes:
        x: [K, padded rows, ...].
        y: [K, rows].
        masks: see ``Masks``.
    """

    x: torch.Tensor
    y: torch.Tensor
    masks: list[torch.Tensor]


@dataclass(frozen=True)
class Chunk:
    """Some steps of every lane.

    Attributes:
        y: [K, all their rows].
        batches: step by step.
        rates: learning rates, [steps][K].
    """

    y: torch.Tensor
    batches: Iterator[Batch]
    rates: list[list[float]]


def padded(x: torch.Tensor, length: int, axis: int) -> torch.Tensor:
    """Zeros after the end of an axis."""
    if x.shape[axis] == length:
        return x
    more = x.new_zeros(*x.shape[:axis], length - x.shape[axis], *x.shape[axis + 1 :])
    return torch.cat([x, more], axis)


def epoch_of(lanes: Sequence[FusedLane], data: Resident, plan: Plan, fit: Fit) -> Iterator[Chunk]:
    """The training part in each lane's next order, in chunks of whole batches and a last, shorter one."""
    for lane in lanes:
        lane.epoch += 1
    orders = torch.stack([order_of(plan, lane.trial.seed, lane.epoch) for lane in lanes]).to(data.device)
    noises = [Noise(lane.trial.seed, lane.epoch, data.device) for lane in lanes]
    drops = [lane.dropout() for lane in lanes]
    size, unit = plan.batch_size, fit.forward.row_unit
    row_bytes = data.train.x[0].numel() * data.train.x.element_size()
    most = max(1, LANE_BYTES // (size * row_bytes + fit.masks.bytes_per_step(size)))
    full = plan.used // size
    cuts = [(begin * size, min(most, full - begin), size) for begin in range(0, full, most)]
    if plan.used % size:
        cuts.append((full * size, 1, plan.used % size))
    for begin, steps, rows in cuts:
        room = -(-rows // unit) * unit
        picked = orders[:, begin : begin + steps * rows].reshape(-1)
        shape = (-1,) if fit.forward.flat else data.input_shape
        x = padded(data.train.x.index_select(0, picked).view(len(lanes), steps, rows, *shape), room, 2)
        y = data.train.y.index_select(0, picked).view(len(lanes), steps, rows)
        masks = fit.masks.of_steps(noises, drops, steps, rows, room)
        yield Chunk(y.flatten(1), map(Batch, x.unbind(1), y.unbind(1), masks), [[lane.next_rate() for lane in lanes] for _ in range(steps)])
