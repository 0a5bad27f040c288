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
        self._choices: dict[str, tuple[int, Choice]] = {}  # by shape, each with how many trials it was made for
        self._timed: dict[int, dict[int, float]] = {}

    def lanes(self, trial: Trial, most: int) -> int:
        """How many trials of this one's shape to train side by side, at most so many.

        Found out once per shape and again when there may be more of it than before; on a CPU what is timed is so once per size of shape.

        Raises:
            InputError: the config does not fit the data.
        """
        return min(self._choice(trial, most).lanes, most)

    def __call__(self, trials: Sequence[Trial]) -> Generator[list[Report], list[Command], None]:
        """See ``sweeper.core.loop.train``."""
        return run(trials, self._data, self._choice(trials[0], len(trials)), self._checkpoints)

    def _choice(self, trial: Trial, most: int) -> Choice:
        before = self._choices.get(trial.shape)
        if before is not None and most <= before[0]:
            return before[1]
        set_threads(trial, self._data)  # what is timed is what will run
        choice = for_shape(trial, self._data, self._timed, most=most)
        self._choices[trial.shape] = most, choice
        return choice
