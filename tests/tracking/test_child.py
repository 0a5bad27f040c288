"""A trial as a run: its diagnosis, and no more of the monitor's points than charts need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sweeper.tracking.child import LOOKS, child_picture
from sweeper.tracking.picture import continues, digest
from sweeper.trial import Outcome
from tests.tracking.hand import Hand, reports


def test_a_trial_that_has_ended_is_diagnosed(tmp_path: Path) -> None:
    """By a tag to filter by and a sentence; one that runs, or that code has failed, is not."""
    hand = Hand(tmp_path)
    hand.trial(0, Outcome.DIVERGED, val_loss=float("nan"))
    hand.record(hand.number(1), reports(1, 1, hand.now))
    sweep = hand.ledger.known(hand.name)

    def tags(number: int) -> dict[str, str]:
        record = hand.ledger.trials(hand.name)[number]
        return dict(child_picture(sweep, record, hand.ledger.reports(hand.name, number), "parent").tags)

    assert tags(0)["diagnosis"] == "diverged"
    assert tags(0)["diagnosis.why"].startswith("val_loss not finite in epoch 3; try: learning rate / 10")
    assert "diagnosis" not in tags(1)


def test_the_monitor_is_thinned_in_the_tracker(tmp_path: Path) -> None:
    """All other metrics of every epoch, the monitor's of the first and of at most eight more; what was sent stays a beginning."""
    hand = Hand(tmp_path)
    hand.trial(0, Outcome.COMPLETE)
    record = hand.ledger.trials(hand.name)[0]
    config = {**record.trial.config, "training": {**record.trial.config["training"], "epochs": 30}}
    record = replace(record, trial=replace(record.trial, config=config), outcome=None)
    told = [replace(one, metrics={**one.metrics, "watch_dead_units": 0.1}) for one in reports(0, 30, hand.now)]
    sweep = hand.ledger.known(hand.name)
    points = child_picture(sweep, record, told, "parent").points
    looks = [point.step for point in points if point.key == "watch_dead_units"]
    assert looks == [1, 4, 8, 12, 16, 20, 24, 28]
    assert len(looks) <= LOOKS + 1
    assert [point.step for point in points if point.key == "val_loss"] == list(range(1, 31))
    for epochs in range(31):
        assert continues(points, digest(child_picture(sweep, record, told[:epochs], "parent").points))
