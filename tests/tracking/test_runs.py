from __future__ import annotations

import math
from pathlib import Path

from sweeper.tracking.mlflow import Tracker
from sweeper.tracking.runs import log_lr_range, log_training
from tests.tracking.hand import reports


def only_run(store: tuple[str, Path], experiment: str):
    """The one run of an experiment."""
    tracker = Tracker(*store)
    (run,) = tracker._client.search_runs([tracker.find_experiment(experiment)])
    return run


def test_a_range_test_is_a_run_with_a_curve_per_seed(tmp_path: Path, store: tuple[str, Path]) -> None:
    """The median stands only where no seed has diverged; figure and result are beside it."""
    file = tmp_path / "result.json"
    file.write_text("{}")
    lrs, losses = [1e-3, 1e-2, 1e-1], [[1.0, 0.5, math.nan], [1.2, 0.7, 9.0], [1.4, 0.6, 8.0]]
    trouble = log_lr_range(
        *store, experiment="range", name="lr-range/mlp", params={"model.width": 8}, tags={"status": "ok", "git_commit": "abc"},
        lrs=lrs, losses=losses, files=[file],
    )  # fmt: skip
    assert trouble is None
    run, tracker = only_run(store, "range"), Tracker(*store)
    assert (run.info.status, run.data.tags["stage"], run.data.tags["mlflow.source.git.commit"]) == ("FINISHED", "lr_range", "abc")
    assert [point.value for point in tracker.history(run.info.run_id, "loss")] == [1.2, 0.6]
    assert [point.value for point in tracker.history(run.info.run_id, "loss_seed_0")] == [1.0, 0.5]
    assert [point.value for point in tracker.history(run.info.run_id, "lr")] == lrs
    assert (store[1] / "range" / run.info.run_id / "artifacts" / "result.json").read_text() == "{}"


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
