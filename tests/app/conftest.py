"""A ledger with a small sweep in it, and training by formula."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import pytest

from sweeper.app.desk import LedgerDesk, open_desk
from sweeper.config.space import Space
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import NewSweep
from sweeper.ledger.store import Ledger
from sweeper.trial import Command, RangeFinding, RangeTest, Refill, Report, Stop, Trial

SPACE = """
name: small
model: {family: mlp, width: {choice: [8, 16, 32]}, dropout: {uniform: [0.0, 0.5]}}
optimizer: {name: adamw, lr: {log: [1e-4, 1e-1]}}
training: {epochs: 9}
search: {trials: 12, sampler: random, pruner: asha, grace_epochs: 2, reduction: 3}
"""


class Formula:
    """Losses that fall with the epoch and are best at lr 1e-2.

    Args:
        lanes: how many trials are trained side by side.
        bracket: that every range test finds; its middle is the suggestion.
    """

    def __init__(self, lanes: int = 1, bracket: tuple[float, float] = (1e-3, 1e-1)) -> None:
        self._lanes = lanes
        self._bracket = bracket
        self.tests: list[RangeTest] = []

    def lanes(self, trial: Trial, most: int) -> int:  # noqa: ARG002 - the Protocol's signature
        """For every shape the same."""
        return self._lanes

    def range_test(self, test: RangeTest) -> RangeFinding:
        """Each finds the same."""
        self.tests.append(test)
        low, high = self._bracket
        return RangeFinding("ok", "as every test", (low * high) ** 0.5, self._bracket, cost_steps=300, seconds=0.5, result={"steps": 100})

    def __call__(self, trials: Sequence[Trial]) -> Generator[list[Report], list[Command], None]:
        """Each lane trains its trial from the first epoch on; a Stop frees it, a Refill puts another trial there."""
        lanes = [(trial, 1) for trial in trials]
        while lanes:
            reports = [
                Report(trial.number, epoch, _metrics(trial, epoch), 1.7e9 + epoch, "all 9 epochs" if epoch == 9 else None)
                for trial, epoch in lanes
            ]
            answers = yield reports
            lanes = [
                (answer.trial, 1) if isinstance(answer, Refill) else (trial, epoch + 1)
                for (trial, epoch), answer in zip(lanes, answers, strict=True)
                if not isinstance(answer, Stop)
            ]


def _metrics(trial: Trial, epoch: int) -> dict[str, float]:
    loss = abs(trial.config["optimizer"]["lr"] - 1e-2) + 1 / epoch
    return {"train_loss": loss, "val_loss": loss, "lr": trial.config["optimizer"]["lr"]}


class Stage:
    """A ledger on disk with one sweep; ``desk()`` claims it anew, as a new driver would."""

    def __init__(self, folder: Path, space: str = SPACE, name: str = "small") -> None:
        self.name = name
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.ledger = Ledger.open(self.url)
        parsed = Space.parse(space, "small.yaml")
        search = parsed.base.search
        self.ledger.create_sweep(NewSweep(name, space, parsed.fingerprint(), search.metric, search.trials))

    def desk(self) -> LedgerDesk:
        """A desk of a new owner; every earlier one is stale."""
        writer = self.ledger.claim(self.name, Owner.here())
        self.release = writer.release_owner
        self.epoch = writer.epoch
        return open_desk(self.url, self.name, writer.epoch)

    def same_desk(self) -> LedgerDesk:
        """A desk of the same owner, built again."""
        return open_desk(self.url, self.name, self.epoch)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """One open sweep of twelve trials."""
    return Stage(tmp_path)


@pytest.fixture
def staged(tmp_path: Path) -> Callable[[str], Stage]:
    """Makes a stage with another space."""
    return lambda space: Stage(tmp_path, space)
