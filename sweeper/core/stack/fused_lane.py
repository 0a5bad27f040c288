"""One trial's row in a fused stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from sweeper.config.schema import Config
from sweeper.core.augment import Augmentation
from sweeper.core.rate import batch_scale
from sweeper.core.schedule import Schedule
from sweeper.core.stack import kernels
from sweeper.core.stack.masks import Drop
from sweeper.core.stack.slabs import Slabs
from sweeper.trial import Trial


@dataclass(eq=False)
class FusedLane:
    """One trial in a fused stack.

    Attributes:
        trial: what is trained.
        config: its own.
        slabs: the stack's.
        optimizer: the stack's.
        row: where in both.
        schedule: multiplier of the peak learning rate by step.
        steps_per_epoch: optimizer steps.
        augmentation: what its rows go through.
        epoch: 1-based, of the last epoch begun; 0 before.
        taken: optimizer steps.
        level: multiplies the learning rate that the schedule says.
        peak: learning rate at the schedule's multiplier 1.
    """

    trial: Trial
    config: Config
    slabs: Slabs
    optimizer: kernels.LaneOptimizer
    row: int
    schedule: Schedule
    steps_per_epoch: int
    augmentation: Augmentation
    epoch: int = 0
    taken: int = 0
    level: float = 1.0
    peak: float = field(init=False)

    def __post_init__(self) -> None:
        self.peak = self.config.optimizer.lr * batch_scale(self.config)

    @property
    def parameters(self) -> int:
        """See ``Lane.parameters``."""
        return sum(leaf[0].numel() for leaf in self.slabs.leaves.values())

    def state(self) -> Mapping[str, torch.Tensor]:
        """See ``Lane.state``."""
        return self.slabs.state(self.row)

    def memory(self) -> Mapping[str, torch.Tensor]:
        """See ``Lane.memory``."""
        moments = {f"moment.{n}": moment[self.row] for n, moment in enumerate(self.optimizer.moments)}
        return {f"model.{name}": tensor for name, tensor in self.state().items()} | moments

    def recall(self, memory: Mapping[str, torch.Tensor], epoch: int) -> None:
        """See ``Lane.recall``."""
        self.slabs.load(self.row, {name: memory[f"model.{name}"] for name in self.state()})
        for n, moment in enumerate(self.optimizer.moments):
            moment[self.row] = memory[f"moment.{n}"]
        self.taken = epoch * self.steps_per_epoch
        self.optimizer.steps[self.row] = self.taken
        self.epoch = epoch

    def next_rate(self) -> float:
        """The learning rate of the step that comes; each call is a step."""
        self.taken += 1
        return self.peak * self.schedule(self.taken - 1) * self.level

    def dropouts(self, met: Sequence[Drop]) -> list[float]:
        """The probabilities of these layers: the config's, or where it has none (in a custom model) the layer's own."""
        return [float(getattr(self.config.model, drop.of, drop.p)) for drop in met]
