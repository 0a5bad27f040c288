"""Sweeps that are written into a ledger by hand, without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sweeper.config.distributions import Choice
from sweeper.config.files import tree_of
from sweeper.config.space import Leaf, Resolved, Space
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import Entry, NewSweep, SweepState
from sweeper.ledger.store import Ledger
from sweeper.ledger.writer import Writer
from sweeper.trial import Continue, Metric, Outcome, Report, Scalar, Stop, Trial

SPACE = """\
name: {name}
model: {{family: mlp, width: {{choice: [16, 32]}}, dropout: {{uniform: [0.0, 0.5]}}}}
optimizer:
  choice:
    - {{name: adamw, lr: {{log: [1e-4, 1e-2]}}}}
    - {{name: sgd, lr: {{log: [1e-3, 1.0]}}, momentum: {{uniform: [0.8, 0.99]}}}}
training: {{epochs: 3}}
search: {{sampler: random, trials: {trials}, metric: val_loss}}
"""
START = 1_760_000_000.0
FACTS = {
    "user": "ada",
    "git_commit": "0" * 40,
    "git_dirty": True,
    "data_hash": "d" * 64,
    "versions": {"python": "3.11", "torch": "2.13.0"},
    "baseline": {"name": "logistic regression", "val_loss": 0.9, "val_accuracy": 0.8, "test_loss": 0.95, "test_accuracy": 0.79},
}


def drawn(space: Space, number: int) -> Resolved:
    """A config that differs from number to number."""

    def suggest(leaf: Leaf) -> Scalar:
        distribution = leaf.distribution
        if isinstance(distribution, Choice):
            return distribution.options[number % len(distribution.options)]
        return distribution.low + (distribution.high - distribution.low) * ((number + 1) % 7) / 7

    return space.resolve(suggest, seed=number)


class Hand:
    """A ledger with one sweep, a writer for it and a clock that only moves when told."""

    def __init__(self, folder: Path, name: str = "mlp", trials: int = 5) -> None:
        self.now = START
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.ledger = Ledger.open(self.url, clock=lambda: self.now)
        self.space = Space.parse(SPACE.format(name=name, trials=trials), "by hand")
        self.name = name
        self.ledger.create_sweep(NewSweep(name, self.space.text, self.space.fingerprint(), Metric.VAL_LOSS, trials, FACTS))
        self.writer: Writer = self.ledger.claim(name, Owner.here())

    def resolved(self, number: int) -> Resolved:
        """The config of a trial."""
        return drawn(self.space, number)

    def number(self, number: int) -> int:
        """Number a trial and start its first attempt; returns the token."""
        resolved = self.resolved(number)
        trial = Trial(number, number, resolved.values, tree_of(resolved.config), resolved.shape)
        return self.writer.start([number], "worker", new=[trial])[0]

    def record(self, token: int, reports: Sequence[Report], outcome: Outcome | None = None, reason: str = "by hand") -> None:
        """Enter reports; with an outcome the last one closes the trial."""
        entries = []
        best: tuple[float, int] | None = None
        for index, report in enumerate(reports):
            value = report.metrics["val_loss"]
            if report.finite() and (best is None or value < best[0]):
                best = (value, report.epoch)
            last = outcome is not None and index == len(reports) - 1
            entries.append(Entry(token, report, Stop(outcome, reason) if last and outcome else Continue("on"), best))
        self.writer.record(entries)

    def trial(self, number: int, outcome: Outcome, epochs: int = 3, **last: float) -> list[Report]:
        """A whole trial; ``last`` replaces metrics of the last epoch."""
        token = self.number(number)
        made = reports(number, epochs, self.now, **last)
        self.now += epochs
        self.record(token, made, outcome, f"{outcome} by hand")
        return made

    def finish(self, state: SweepState = SweepState.COMPLETE) -> None:
        """End the sweep."""
        self.now += 1
        self.writer.finish(state)


def reports(number: int, epochs: int, start: float, shift: float = 0.0, **last: float) -> list[Report]:
    """Reports of one attempt: a second per epoch, values that no other trial has."""
    made = [Report(number, epoch, metrics(number, epoch, shift), start + epoch) for epoch in range(1, epochs + 1)]
    if last:
        made[-1] = Report(number, epochs, {**made[-1].metrics, **last}, start + epochs)
    return made


def metrics(number: int, epoch: int, shift: float = 0.0) -> Mapping[str, float]:
    """Seven metrics, as the core reports them."""
    loss = (number + 1) / 7 / epoch + shift
    return {
        "train_loss": loss / 3,
        "val_loss": loss,
        "val_accuracy": 1 - loss / 10,
        "val_f1_macro": 1 - loss / 9,
        "lr": 0.1 / epoch,
        "grad_norm": 1.1,
        "seconds": 0.01,
    }
