"""The generator: determinism, lockstep, commands, checkpoints."""

from __future__ import annotations

from sweeper.core.loop import train
from sweeper.data.dataset import Dataset


def without_clock(reports):
    """What of the reports must be the same again."""
    return [(r.trial, r.epoch, {k: v for k, v in r.metrics.items() if k != "seconds"}, r.ended) for r in reports]


def test_the_same_config_and_seed_give_the_same_bits(digits: Dataset, make_trial, drive) -> None:
    """Training is a function of config and seed."""
    first = drive(train([make_trial()], digits, device="cpu"))
    again = drive(train([make_trial()], digits, device="cpu"))
    assert without_clock(first) == without_clock(again)
    assert first[-1].ended == "all 3 epochs"
    assert first[-1].metrics["val_accuracy"] > 0.8
