"""The core as the runners see it: data on the device once, and for every shape the engine and the lanes that suit it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from sweeper.core import memory
from sweeper.core.batches import Resident
from sweeper.core.loop import pick_device, run, set_threads
from sweeper.core.stack.choose import Choice, for_shape
from sweeper.data.dataset import Dataset
from sweeper.trial import Command, Report, Trial


class Trainer:
    """Trains the trials of a sweep on one device.

    Args:
        data: prepared; training and validation part are copied to the device.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:1``.
        checkpoints: where ``<trial number>/`` gets the best epoch; None: nothing is written.
    """

    def __init__(self, data: Dataset, *, device: str = "auto", checkpoints: Path | None = None) -> None:
        memory.keep_freed()
        self._data = Resident.of(data, pick_device(device))
        self._checkpoints = checkpoints
        self._choices: dict[str, Choice] = {}
        self._known: dict[int, int] = {}

    def lanes(self, trial: Trial) -> int:
        """How many trials of this one's shape to train side by side; found out once per shape, and on a CPU once per size of shape.

        Raises:
            InputError: the config does not fit the data.
        """
        return self._choice(trial).lanes

    def __call__(self, trials: Sequence[Trial]) -> Generator[list[Report], list[Command], None]:
        """See ``sweeper.core.loop.train``."""
        return run(trials, self._data, self._choice(trials[0]), self._checkpoints)

    def _choice(self, trial: Trial) -> Choice:
        if trial.shape not in self._choices:
            set_threads(trial, self._data)  # what is timed is what will run
            self._choices[trial.shape] = for_shape(trial, self._data, self._known)
        return self._choices[trial.shape]
