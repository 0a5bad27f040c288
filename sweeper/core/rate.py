"""Writes the learning rate of each step into the optimizer, without a host sync."""

from __future__ import annotations

import torch
from torch import optim

from sweeper.core.precision import Precision
from sweeper.core.schedule import Schedule


class Rate:
    """The learning rate, stepped per optimizer step that really happens.

    Where no step can be skipped, the host knows the step and hands a number to the optimizer. Where steps may be skipped
    (fp16), only the device knows how many were taken: the whole schedule lies there as a table, and the number taken is its index.

    Args:
        optimizer: whose groups' ``lr`` is the peak.
        schedule: multiplier of the peak by step.
        total_steps: length of the table.
        precision: whether steps may be skipped, and how many were.
    """

    def __init__(self, optimizer: optim.Optimizer, schedule: Schedule, total_steps: int, precision: Precision) -> None:
        self._optimizer = optimizer
        self._schedule = schedule
        self._precision = precision
        self._peak = float(optimizer.param_groups[0]["lr"])
        self._attempted = 0
        self.lr: float | torch.Tensor = self._peak * schedule(0)
        if precision.scaled:
            table = [self._peak * schedule(step) for step in range(total_steps)]
            self._table = torch.tensor(table, dtype=torch.float32, device=precision.skipped.device)
            self.lr = self._table[0].clone()

    def apply(self) -> None:
        """Sets the optimizer's learning rate for the step that comes."""
        if self._precision.scaled:
            taken = (self._attempted - self._precision.skipped).clamp(max=len(self._table) - 1)
            self.lr = self._table.gather(0, taken.unsqueeze(0)).squeeze(0)
        else:
            self.lr = self._peak * self._schedule(self._attempted)
        for group in self._optimizer.param_groups:
            group["lr"] = self.lr
        self._attempted += 1

    def skip(self, steps: int) -> None:
        """Goes on as after so many attempted steps."""
        self._attempted = steps
