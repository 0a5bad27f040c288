"""What K lanes are fed in an epoch: each its own order of the rows, its own masks, its own learning rates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat

import torch

from sweeper.core.augment.draws import Draws
from sweeper.core.batches import Plan, Resident, Rows, order_of
from sweeper.core.dropout import Noise
from sweeper.core.stack.forward import Fit
from sweeper.core.stack.fused_lane import FusedLane
from sweeper.core.stack.slabs import padded

LANE_BYTES = 4 * 2**20
"""Rows and noise of a lane that are gathered at a time. It does not depend on the number of lanes, and so neither does the order in
which numbers are summed."""


@dataclass(frozen=True)
class Batch:
    """What goes through the models at a time.

    Attributes:
        x: [K, padded rows, ...].
        y: [K, rows].
        weight: [K, rows], what each row's loss is multiplied by; None: 1.
        other: [K, rows], targets of a second loss (see ``Rows``); None: there is none.
        other_weight: [K, rows], what the second loss is multiplied by.
        masks: see ``Masks``.
    """

    x: torch.Tensor
    y: torch.Tensor
    weight: torch.Tensor | None
    other: torch.Tensor | None
    other_weight: torch.Tensor | None
    masks: list[torch.Tensor]

    def tensors(self) -> tuple[torch.Tensor | None, ...]:
        """All of it, as the step takes it."""
        return self.x, self.y, self.weight, self.other, self.other_weight, *self.masks


@dataclass(frozen=True)
class Chunk:
    """Some steps of every lane.

    Attributes:
        y: [K, all their rows].
        steps: the batches of each step in turn.
        rates: learning rates, [steps][K].
    """

    y: torch.Tensor
    steps: Iterator[list[Batch]]
    rates: list[list[float]]


@dataclass(frozen=True)
class Run:
    """Batches of one size that follow each other in the epoch's order.

    Attributes:
        begin: where the first one begins.
        batches: how many.
        rows: of each.
    """

    begin: int
    batches: int
    rows: int


def epoch_of(lanes: Sequence[FusedLane], data: Resident, plan: Plan, fit: Fit) -> Iterator[Chunk]:
    """The training part in each lane's next order, in chunks of whole steps and a last, shorter one."""
    for lane in lanes:
        lane.epoch += 1
    feed = _Feed(lanes, data, plan, fit)
    size = plan.batch_size
    row_bytes = data.train.x[0].numel() * data.train.x.element_size()
    most = max(1, LANE_BYTES // (size * row_bytes + fit.masks.bytes_per_step(size)) // plan.accumulate)
    full, left = divmod(plan.used, plan.step_rows)
    for begin in range(0, full, most):
        steps = min(most, full - begin)
        yield feed.chunk([Run(begin * plan.step_rows, steps * plan.accumulate, size)], plan.step_rows)
    if left:
        begin = plan.used - left
        runs = [Run(begin, left // size, size), Run(begin + left // size * size, 1, left % size)]
        yield feed.chunk([run for run in runs if run.batches and run.rows], left)


class _Feed:
    """The sources of one epoch."""

    def __init__(self, lanes: Sequence[FusedLane], data: Resident, plan: Plan, fit: Fit) -> None:
        self._lanes, self._data, self._plan, self._fit = lanes, data, plan, fit
        self._orders = torch.stack([order_of(plan, lane.trial.seed, lane.epoch) for lane in lanes]).to(data.device)
        self._noises = [Noise(lane.trial.seed, lane.epoch, data.device) for lane in lanes]
        self._drops = [lane.dropouts(fit.masks.met) for lane in lanes]
        self._draws = [Draws(lane.trial.seed, lane.epoch, data.device) for lane in lanes]

    def chunk(self, runs: Sequence[Run], step_rows: int) -> Chunk:
        """The steps, of so many rows each, that these runs make."""
        found = [self._of(run, step_rows) for run in runs]
        batches = chain.from_iterable(batches for _, batches in found)
        y = torch.cat([y for y, _ in found], 1) if len(found) > 1 else found[0][0]
        steps = y.shape[1] // step_rows
        grouped = (list(islice(batches, self._plan.accumulate)) for _ in range(steps))
        return Chunk(y, grouped, [[lane.next_rate() for lane in self._lanes] for _ in range(steps)])

    def _of(self, run: Run, step_rows: int) -> tuple[torch.Tensor, Iterator[Batch]]:
        """The targets of a run's rows, and its batches."""
        data, fit, lanes, unit = self._data, self._fit, len(self._lanes), self._fit.forward.row_unit
        room = -(-run.rows // unit) * unit
        picked = self._orders[:, run.begin : run.begin + run.batches * run.rows].reshape(-1)
        gathered = Rows(data.train.x.index_select(0, picked), data.train.y.index_select(0, picked))
        every = self._augmented(gathered, run)
        if self._plan.accumulate > 1:
            # A step's gradient is the mean over all its rows, not over its batches.
            every = every.scaled(run.rows / step_rows)
        shape = (-1,) if fit.forward.flat else data.input_shape
        x = padded(every.x.view(lanes, run.batches, run.rows, *shape), room, 2)
        parts = [
            repeat(None) if part is None else part.view(lanes, run.batches, run.rows, *part.shape[1:]).unbind(1)
            for part in (every.y, every.weight, every.other, every.other_weight)
        ]
        masks = fit.masks.of_steps(self._noises, self._drops, run.batches, run.rows, room)
        return every.y.view(lanes, -1, *every.y.shape[1:]), map(Batch, x.unbind(1), *parts, masks)

    def _augmented(self, rows: Rows, run: Run) -> Rows:
        """The rows of all lanes, one lane's after another's, each lane's as its own config says."""
        if all(lane.augmentation.idle for lane in self._lanes):
            return rows
        pieces = zip(self._lanes, rows.split(run.batches * run.rows), self._draws, strict=True)
        found = [piece if lane.augmentation.idle else lane.augmentation(piece, run.rows, draws) for lane, piece, draws in pieces]
        mixed = any(one.other is not None for one in found)
        if mixed or any(one.weight is not None for one in found):
            found = [one.weighted(mixed=mixed) for one in found]
        return Rows.joined(found)
