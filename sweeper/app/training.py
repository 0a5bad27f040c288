"""How the runners get what trains the trials of a sweep, and what makes its range tests: the core, over this data on this device."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.config.files import config_from_tree
from sweeper.ports import Train
from sweeper.trial import Command, RangeFinding, RangeTest, Report, Trial

if TYPE_CHECKING:
    from sweeper.data.dataset import Dataset


def make_train(checkpoints: Path, device: str, data: Dataset) -> Train:
    """The core over this data on this device, committing best epochs under ``checkpoints``; imports torch."""
    return _Training(checkpoints, device, data)


class _Training:
    """Implements ``sweeper.ports.Train``."""

    def __init__(self, checkpoints: Path, device: str, data: Dataset) -> None:
        from sweeper.core.trainer import Trainer

        self._trainer = Trainer(data, device=device, checkpoints=checkpoints)
        self._device = device
        self._data = data

    def lanes(self, trial: Trial, most: int) -> int:
        """See ``Trainer.lanes``."""
        return self._trainer.lanes(trial, most)

    def __call__(self, trials: Sequence[Trial]) -> Generator[list[Report], list[Command], None]:
        """See ``Trainer.__call__``."""
        return self._trainer(trials)

    def range_test(self, test: RangeTest) -> RangeFinding:
        """See ``sweeper.lr_range.run.lr_range_test``; without a probe, since the trials of a sweep are constant rates from the bracket."""
        from sweeper.lr_range.run import lr_range_test

        config, device = config_from_tree(test.config), self._device
        result = lr_range_test(config, self._data, seeds=test.seeds, probe=None, device=device)
        verdict = result.judgement
        return RangeFinding(
            status=verdict.status.value,
            sentence=verdict.sentence,
            suggestion=verdict.suggestion,
            bracket=verdict.bracket,
            cost_steps=result.cost_steps,
            seconds=result.seconds,
            result=result.as_dict(),
        )
