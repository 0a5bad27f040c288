"""Writes the learning rate of each step into the optimizer, without a host sync."""

from __future__ import annotations

import math

import torch
from torch import optim

from sweeper.config.schema import Config
from sweeper.core.precision import Precision
from sweeper.core.schedule import Schedule


def batch_scale(config: Config) -> float:
    """What ``optimizer.lr`` is multiplied by for this config's effective batch; 1 unless ``training.scale_lr_with_batch`` is set.

    The linear rule is Goyal et al.'s (2017, *Accurate, Large Minibatch SGD*), the square root Krizhevsky's (2014), for the Adam family
    Malladi et al.'s (2022).
    """
    training = config.training
    if training.scale_lr_with_batch is None:
        return 1.0
    ratio = training.batch_size * training.accumulate / training.scale_lr_with_batch
    return ratio if training.scale_lr_rule == "linear" else math.sqrt(ratio)


def told(config: Config) -> str:
    """The effective batch, and what it does to the learning rate, for people."""
    training = config.training
    batch = f"effective batch {training.batch_size * training.accumulate}"
    if training.scale_lr_with_batch is None:
        return batch
    return f"{batch}, learning rate times {batch_scale(config):.3g} for it ({training.scale_lr_rule} from {training.scale_lr_with_batch})"


class Rate:
    """The learning rate, stepped per optimizer step that really happens.

    Where no step can be skipped, the host knows the step and hands a number to the optimizer. Where steps may be skipped
    (fp16), only the device knows how many were taken: the whole schedule lies there as a table, and the number taken is its index.

    Args:
        optimizer: whose groups' ``lr`` is each group's peak; ``lr`` is told for the first.
        schedule: multiplier of the peak by step.
        total_steps: length of the table.
        precision: whether steps may be skipped, and how many were.
        scale: of every group's peak.

    Attributes:
        lr: the last step's.
        level: multiplies what the schedule says; to be changed between epochs.
    """

    def __init__(self, optimizer: optim.Optimizer, schedule: Schedule, total_steps: int, precision: Precision, scale: float = 1.0) -> None:
        self._optimizer = optimizer
        self._schedule = schedule
        self._precision = precision
        first = float(optimizer.param_groups[0]["lr"])
        self._peak = first * scale
        self._ratios = [float(group["lr"]) / first for group in optimizer.param_groups]
        self.level = 1.0
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
            self.lr = self._table.gather(0, taken.unsqueeze(0)).squeeze(0) * self.level
        else:
            self.lr = self._peak * self._schedule(self._attempted) * self.level
        for group, ratio in zip(self._optimizer.param_groups, self._ratios, strict=True):
            group["lr"] = self.lr * ratio
        self._attempted += 1

    def skip(self, steps: int) -> None:
        """Goes on as after so many attempted steps."""
        self._attempted = steps
