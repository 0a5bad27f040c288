"""A trial that several processes train together, as one of them sees it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from sweeper.config.schema import Custom
from sweeper.core import init, seeds
from sweeper.core.batches import Resident, Rows
from sweeper.core.evaluate import outputs_of
from sweeper.core.flat import Flat, Parameters
from sweeper.core.parallel.norm import synchronise
from sweeper.core.parallel.share import SharedNoise, own_in_order, plan_of, rows_of
from sweeper.core.parallel.team import Team
from sweeper.core.schedule import Schedule
from sweeper.core.stack.plain import PlainLane
from sweeper.trial import Trial


class TeamLane(PlainLane):
    """The course of a ``PlainLane`` in which each process computes its share of every batch.

    All processes draw the same weights, order, augmentation and noise from the trial's seed and take the same steps on the sum of their
    gradients, so nothing but gradients, statistics and scores is exchanged and the numbers are those of one process, to rounding.

    Args:
        trial: what is trained.
        data: on this process's device.
        team: the processes.
        rates: another schedule than the config's.
        steps: horizon of ``rates``.

    Raises:
        InputError: the config does not fit the data.
    """

    def __init__(self, trial: Trial, data: Resident, team: Team, rates: Schedule | None = None, steps: int | None = None) -> None:
        self._team = team
        self._batches = 0
        self._telling = False
        super().__init__(trial, data, rates, steps)
        self._mine = plan_of(self.plan, team)

    def step(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See ``PlainLane.step``; outputs and loss are of this process's rows, but for a loss that ``record`` tells."""
        outputs, loss, norm = super().step(rows)
        return outputs, self._team.add(loss) if self._telling else loss, norm

    def train_epoch(self) -> dict[str, torch.Tensor]:
        """See ``PlainLane.train_epoch``; over the rows of all processes."""
        found = super().train_epoch()
        names = [name for name in ("train_loss", "train_accuracy") if name in found]
        sums = self._team.add(torch.stack([found[name] for name in names]) * self._mine.used)
        return found | dict(zip(names, (sums / self.plan.used).unbind(), strict=True))

    def record(self, steps: int) -> torch.Tensor:
        """See ``PlainLane.record``."""
        self._telling = True
        return super().record(steps)

    def _made(self) -> tuple[nn.Module, Parameters]:
        model = init.fresh(self.config, self._data, self.trial.seed).to(self._data.device)
        synchronise(model, self._team)
        return model, Shared(model, self._team)

    def _begin_epoch(self) -> None:
        super()._begin_epoch()
        self._batches = 0
        self._noise = SharedNoise(self.trial.seed, self.epoch, self._data.device, self._team)
        for dropout in self._dropouts:
            dropout.noise = self._noise

    def _chunks(self) -> Iterator[Rows]:
        # A custom model's own randomness: other rows, other numbers. What is drawn by ``self._noise`` is that of one process.
        if isinstance(self.config.model, Custom):
            seeds.sow(seeds.key(self.trial.seed, seeds.Stream.NOISE, self.epoch) + self._team.rank, self._data.device)
        if self._augmentation.idle:
            yield from own_in_order(self._data.train, self.plan, self._team, self.trial.seed, self.epoch)
            return
        for chunk in super()._chunks():
            yield from rows_of(chunk, self.plan, self._team)

    def _add_gradient(self, batch: Rows, share: float) -> tuple[torch.Tensor, torch.Tensor]:
        size = self.plan.batch_size
        self._noise.batch(min(size, self.plan.used - self._batches * size))
        self._batches += 1
        return super()._add_gradient(batch, share / self._team.size)

    def _outputs(self) -> torch.Tensor:
        """Each process computes as many rows as every other; where they do not share out, some are computed twice."""
        x = self._data.val.x
        size = -(-len(x) // self._team.size)
        begins = [min(rank * size, len(x) - size) for rank in range(self._team.size)]
        begin = begins[self._team.rank]
        every = self._team.gathered(outputs_of(self.model, x.narrow(0, begin, size)))
        found = every.new_empty(len(x), *every.shape[2:])
        for place, outputs in zip(begins, every, strict=True):
            found[place : place + size] = outputs
        return found


class Shared(Flat):
    """A whole model's parameters in each process, and the sum of all processes' gradients: one exchange per step."""

    def __init__(self, model: nn.Module, team: Team) -> None:
        super().__init__(model)
        self._team = team

    def collect(self) -> None:
        """See ``Parameters.collect``."""
        self._team.add(self.gradient)
