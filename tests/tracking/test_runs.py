from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from sweeper.tracking.mlflow import Tracker
from sweeper.tracking.runs import RangeTestRun, log_lr_range, log_training
from tests.tracking.hand import reports


def only_run(store: tuple[str, Path], experiment: str):
    """The one run of an experiment."""
    tracker = Tracker(*store)
    (run,) = tracker._client.search_runs([tracker.find_experiment(experiment)])
    return run


LRS, LOSSES = [1e-3, 1e-2, 1e-1], [[1.0, 0.5, math.nan], [1.2, 0.7, 9.0], [1.4, 0.6, 8.0]]


def log(store: tuple[str, Path], experiment: str, **parts: Any) -> str | None:
    """Records range tests."""
    return log_lr_range(*store, **{"experiment": experiment, "tests": [], "files": [], "sweep_run": None, **parts})


def test_a_range_test_is_a_run_with_a_curve_per_seed(tmp_path: Path, store: tuple[str, Path]) -> None:
    """The median stands only where no seed has diverged; figure and result are beside it."""
    file = tmp_path / "result.json"
    file.write_text("{}")
    test = RangeTestRun(
        "lr-range/mlp", {"model.width": 8}, {"status": "ok", "git_commit": "abc"}, LRS, LOSSES, [1.2, 0.9], [2e-3, 4e-3], [[0.3, 0.2]]
    )
    assert log(store, "range", whole=test, files=[file]) is None
    run, tracker = only_run(store, "range"), Tracker(*store)
    assert (run.info.status, run.data.tags["stage"], run.data.tags["mlflow.source.git.commit"]) == ("FINISHED", "lr_range", "abc")
    expected = {"loss": [1.2, 0.6], "loss_seed_0": [1.0, 0.5], "lr": LRS, "loss_smoothed": [1.2, 0.9], "probe_loss": [0.3, 0.2]}
    for key, values in expected.items():
        assert [point.value for point in tracker.history(run.info.run_id, key)] == values
    assert (store[1] / "range" / run.info.run_id / "artifacts" / "result.json").read_text() == "{}"


def test_several_range_tests_are_runs_below_one(store: tuple[str, Path]) -> None:
    """Each has its curve, the run above them has none."""
    tests = [RangeTestRun(f"lr-range/mlp/{name}", {}, {}, LRS, LOSSES) for name in ("adamw", "sgd")]
    assert log(store, "several", whole=RangeTestRun("lr-range/mlp", {}, {"tests": 2}), tests=tests) is None
    tracker = Tracker(*store)
    runs = {run.info.run_name: run for run in tracker._client.search_runs([tracker.find_experiment("several")])}
    above = runs.pop("lr-range/mlp")
    assert above.data.metrics == {}
    assert sorted(runs) == ["lr-range/mlp/adamw", "lr-range/mlp/sgd"]
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {above.info.run_id}


def test_a_sweep_and_its_range_test_are_linked(store: tuple[str, Path]) -> None:
    """The sweep's run names the range test's and what it found, which lies below it; a run of another store is no parent."""
    tracker = Tracker(*store)
    sweep = tracker._client.create_run(tracker.experiment("linked")).info.run_id
    test = RangeTestRun("lr-range/mlp", {}, {"status": "ok", "suggestion": "0.003", "host": "here"}, LRS, LOSSES)
    assert log(store, "linked", whole=test, sweep_run=sweep) is None
    (run,) = [run for run in tracker._client.search_runs([tracker.find_experiment("linked")]) if run.info.run_id != sweep]
    assert run.data.tags["mlflow.parentRunId"] == sweep
    tags = {key: value for key, value in tracker._client.get_run(sweep).data.tags.items() if key.startswith("lr_range")}
    assert tags == {"lr_range.run": run.info.run_id, "lr_range.status": "ok", "lr_range.suggestion": "0.003"}
    assert log(store, "linked", whole=test, tests=[test], sweep_run=sweep) is None
    again = tracker._client.get_run(sweep).data.tags
    assert (again["lr_range.run"], again["lr_range.variants"] != run.info.run_id) == (run.info.run_id, True)
    assert log(store, "linked", whole=test, sweep_run="0" * 32) is None


def test_a_training_job_is_a_run_with_its_epochs(store: tuple[str, Path]) -> None:
    """Metrics per epoch, further results at the last one."""
    trouble = log_training(
        *store, experiment="job", name="train/mlp-1", params={"training.seed": None}, tags={}, reports=reports(0, 3, 1e9), files=[],
        metrics={"test_accuracy": 0.5},
    )  # fmt: skip
    assert trouble is None
    run = only_run(store, "job")
    assert [point.step for point in Tracker(*store).history(run.info.run_id, "val_loss")] == [1, 2, 3]
    assert (run.data.tags["stage"], run.data.metrics["test_accuracy"], run.data.params) == ("train", 0.5, {"training.seed": "null"})


def test_a_tracker_that_is_down_is_a_sentence(tmp_path: Path) -> None:
    """The job has succeeded; that MLflow lacks it is told."""
    (tmp_path / "file").write_text("in the way")
    trouble = log_training(
        f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}", tmp_path, experiment="x", name="x", params={}, tags={}, reports=[], files=[]
    )
    assert trouble is not None
    assert "file" in trouble
