"""What is told of a sweep's range tests: brackets, costs, edges that moved, in lines and in the sweep's run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.ledger.owner import Owner
from sweeper.ledger.records import NewSweep, SweepRecord, SweepState
from sweeper.ledger.store import Ledger
from sweeper.search.brackets import Unmeasured
from sweeper.search.study import Study
from sweeper.tracking.parent import parent_picture
from sweeper.tracking.ranges import ranges_of
from sweeper.trial import Outcome, RangeFinding
from tests.search.simulate import space

SPACE = space(
    "name: mlp\nmodel: {width: {choice: [32, 64]}}\noptimizer: {name: adamw, lr: {auto: [1e-6, 1e-2]}}\ntraining: {epochs: 20}\n",
    sampler="random",
    pruner="none",
)
FOUND = RangeFinding("ok", "fine", 1e-2, (1e-3, 1e-1), 300, 0.5)


@pytest.fixture
def swept(tmp_path: Path) -> tuple[SweepRecord, Ledger]:
    """A sweep of forty trials, the first of which was tested here and the other shape elsewhere."""
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.create_sweep(NewSweep("mlp", SPACE.text, SPACE.fingerprint(), SPACE.base.search.metric, 40))
    writer, study = ledger.claim("mlp", Owner.here()), Study(SPACE, 40)
    tests = 0
    while study.unnumbered:
        try:
            trials = study.ask()
        except Unmeasured as wanted:
            finding = FOUND if not tests else replace(FOUND, cost_steps=0, seconds=0.0)
            writer.put_range_test(wanted.test.digest, "s", finding, cached=bool(tests))
            study.brackets.take(wanted.test.digest, finding)
            tests += 1
            continue
        writer.start([], "w", new=trials)
    return ledger.known("mlp"), ledger


def test_brackets_and_costs_are_told(swept: tuple[SweepRecord, Ledger]) -> None:
    """A line per shape with what the user's own range made of its bracket; what other sweeps had found costs nothing."""
    _, ledger = swept
    ranges = ranges_of(SPACE, ledger.range_tests("mlp"), ledger.trials("mlp"))
    assert ranges is not None
    assert ranges.cost() == "1 range test, 300 steps in 0.5 s; 1 cached, from other sweeps"
    told = "0.001 .. 0.1, of which your own range leaves 0.001 .. 0.01; suggestion 0.01"
    assert sorted(ranges.lines()) == [f"model.width 32: {told}", f"model.width 64: {told}"]
    assert ranges.lines(most=1)[1] == "and 1 more"
    assert [(one["cached"], one["bracket"]) for one in ranges.as_dict()["tests"]] == [(False, [1e-3, 1e-2]), (True, [1e-3, 1e-2])]
    assert ranges_of(space(), [], []) is None


def test_the_sweeps_run_shows_them(swept: tuple[SweepRecord, Ledger]) -> None:
    """Tags while it runs; at its end the costs as metrics, and edges that moved in tags and note."""
    sweep, ledger = swept
    closed = [
        replace(
            record,
            outcome=Outcome.COMPLETE,
            closed_order=record.number + 1,
            best_value=record.trial.config["optimizer"]["lr"],
            best_epoch=1,
            ended=1.0,
        )
        for record in ledger.trials("mlp")
    ]
    tests = ledger.range_tests("mlp")
    running = parent_picture(sweep, SPACE, [], tests)
    assert running.tags["lr_range"] == "1 range test, 300 steps in 0.5 s; 1 cached, from other sweeps"
    over = parent_picture(replace(sweep, state=SweepState.COMPLETE, ended=2.0), SPACE, closed, tests)
    assert {point.key: point.value for point in over.points if point.key.startswith("lr_")} == {
        "lr_range_tests": 1.0,
        "lr_range_steps": 300.0,
        "lr_range_seconds": 0.5,
    }
    assert "the low edge of all moved out 4 times" in over.tags["lr_range.widened"]
    assert over.tags["lr_range.widened"].partition(";")[0] in over.tags["mlflow.note.content"]
    assert f"lr_range.{tests[0].digest}" in over.tags
