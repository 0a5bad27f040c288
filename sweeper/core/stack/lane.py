"""What the loop sees of a stack, whichever engine trains it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import torch

from sweeper.config.schema import Config
from sweeper.trial import Trial


class Lane(Protocol):
    """One trial's place in a stack. Its course depends on its config and its seed alone.

    ``level`` multiplies the learning rate that the schedule says; it may be changed between epochs.
    """

    trial: Trial
    config: Config
    level: float

    @property
    def epoch(self) -> int:
        """Epochs begun so far."""

    @property
    def parameters(self) -> int:
        """How many numbers training changes."""

    def state(self) -> Mapping[str, torch.Tensor]:
        """The model's ``state_dict`` as it is now, as an ordinary single model has it; views that training goes on to change."""

    def memory(self) -> Mapping[str, torch.Tensor]:
        """All that training goes on from at the end of an epoch: the state and the optimizer's."""

    def recall(self, memory: Mapping[str, torch.Tensor], epoch: int) -> None:
        """Puts the lane back to where ``memory`` was taken, at the end of this 1-based epoch."""


class Stack(Protocol):
    """Lanes by slot; an epoch trains and evaluates every one of them, and brings all numbers to the host in one transfer."""

    def lane(self, slot: int) -> Lane:
        """The lane in this slot."""

    def put(self, slot: int, trial: Trial) -> Lane:
        """Puts a fresh trial into a slot, in place of what was there.

        Raises:
            InputError: the config does not fit the data.
        """

    def drop(self, slot: int) -> None:
        """Frees a slot."""

    def run_epoch(self) -> dict[int, dict[str, float]]:
        """Trains and evaluates one epoch of every lane; the metrics by slot (see ``sweeper.core.loop.train``)."""

    def record(self, steps: int) -> torch.Tensor:
        """The training loss before each of so many steps, float32 [K, steps] on the CPU; NaN after a lane's first that is not finite."""

    def validate(self) -> dict[int, dict[str, float]]:
        """Loss and scores of every lane on the validation part, as it is now, by slot: ``val_loss`` and the task's."""

    def rehearse(self) -> Iterator[object]:
        """Takes an epoch's steps one at each ``next``, for a look at the time they take; a plain stack trains its first lane alone.

        The stack is good for nothing else afterwards.
        """
