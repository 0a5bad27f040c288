"""The generator, by either engine: determinism, lockstep, commands, checkpoints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sweeper.config.schema import WarmupCosine
from sweeper.core import checkpoint, schedule
from sweeper.core.loop import pick_device, record_losses, record_scores, train
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from sweeper.trial import Outcome, Refill, Stop, Trial
from tests.core.driving import GO, PRUNE, curve, of, script

NOISY = {"width": 32, "norm": "batch", "dropout": 0.3}


@pytest.fixture(scope="module", params=["plain", "stacked"])
def make_trial(request: pytest.FixtureRequest, make_trial: Any) -> Any:
    """Makes trials for either engine."""

    def made(number: int = 0, seed: int = 0, **parts: Any) -> Trial:
        trial: Trial = make_trial(number, seed, **{**parts, "training": {**parts.get("training", {}), "engine": request.param}})
        return trial

    return made


@pytest.mark.parametrize("parts", [{}, {"model": NOISY}, {"model": {"family": "cnn", "channels": 4}}, {"training": {"precision": "bf16"}}])
def test_the_same_config_and_seed_give_the_same_bits(digits: Dataset, make_trial: Any, drive: Any, parts: dict[str, Any]) -> None:
    """Training is a function of config and seed, whatever torch's global generator holds; another seed is another course."""
    first = drive(train([make_trial(**parts)], digits, device="cpu"))
    torch.rand(5)
    again = drive(train([make_trial(**parts)], digits, device="cpu"))
    other = drive(train([make_trial(seed=1, **parts)], digits, device="cpu"))
    assert curve(first) == curve(again)
    assert curve(first) != curve(other)
    assert first[-1].ended == "all 3 epochs"


def test_a_trial_gives_the_same_bits_alone_and_among_others(digits: Dataset, make_trial: Any, drive: Any) -> None:
    """Three lanes in lockstep, each with dropout: one report each per epoch, equal to those of each alone."""
    trials = [make_trial(n, seed=n, model=NOISY, optimizer={"name": "adamw", "lr": 10.0 ** -(n + 2)}) for n in range(3)]
    together = drive(train(trials, digits, device="cpu"))
    assert [(r.epoch, r.trial) for r in together] == [(epoch, n) for epoch in (1, 2, 3) for n in range(3)]
    for trial in trials:
        alone = drive(train([trial], digits, device="cpu"))
        assert curve(alone) == curve(of(trial.number, [together]))


def test_a_stopped_lane_is_gone_and_the_others_go_on(digits: Dataset, make_trial: Any, drive: Any) -> None:
    """After a Stop there is one report less per round, and nothing changes for the neighbour."""
    trials = [make_trial(n, seed=n, model=NOISY) for n in range(2)]
    rounds = script(train(trials, digits, device="cpu"), {0: PRUNE})
    assert [[r.trial for r in reports] for reports in rounds] == [[0, 1], [1], [1]]
    assert curve(of(1, rounds)) == curve(drive(train([trials[1]], digits, device="cpu")))


def test_a_refilled_lane_trains_the_new_trial_from_its_start(digits: Dataset, make_trial: Any, drive: Any) -> None:
    """The new trial's course is that of the trial alone, though it began two epochs after its neighbour."""
    first, second, third = (make_trial(n, seed=n, model=NOISY) for n in range(3))
    rounds = script(train([first, second], digits, device="cpu"), {}, {0: Refill(third)})
    assert [sorted((r.trial, r.epoch) for r in reports) for reports in rounds] == [
        [(0, 1), (1, 1)],
        [(0, 2), (1, 2)],
        [(1, 3), (2, 1)],
        [(2, 2)],
        [(2, 3)],
    ]
    assert curve(of(2, rounds)) == curve(drive(train([third], digits, device="cpu")))


def test_the_best_epoch_is_on_disk_before_the_ended_report(digits: Dataset, make_trial: Any, tmp_path: Path) -> None:
    """Nothing is written before; then the folder holds the best epoch with its metrics and config."""
    trial = make_trial(17, training={"epochs": 6}, optimizer={"name": "sgd", "lr": 0.5})
    training = train([trial], digits, device="cpu", checkpoints=tmp_path)
    reports = next(training)
    history = [*reports]
    while not reports[0].ended:
        assert not list(tmp_path.iterdir())
        reports = training.send([GO])
        history += reports
    best = min(history, key=lambda r: r.metrics["val_loss"])
    found = checkpoint.load(tmp_path / "17")
    assert (found.epoch, found.metrics, found.config) == (best.epoch, best.metrics, trial.config)
    training.close()


@pytest.mark.parametrize(
    ("answer", "kept"), [(Stop(Outcome.COMPLETE, "done"), True), (PRUNE, False), (Stop(Outcome.CANCELLED, "user"), False)]
)
def test_only_a_complete_trial_keeps_its_checkpoint(digits: Dataset, make_trial: Any, tmp_path: Path, answer: Stop, kept: bool) -> None:
    """The answer to any report, also to the last, decides."""
    for epochs in (1, 3):
        script(train([make_trial(epochs, training={"epochs": epochs})], digits, device="cpu", checkpoints=tmp_path), {epochs: answer})
        assert (tmp_path / str(epochs)).exists() is kept


def test_a_refill_keeps_the_checkpoint_of_a_trial_that_had_ended(digits: Dataset, make_trial: Any, tmp_path: Path) -> None:
    """An ended trial is complete; one that is replaced earlier is not."""
    trials = [make_trial(n, training={"epochs": 1}) for n in range(2)]
    script(train(trials[:1], digits, device="cpu", checkpoints=tmp_path), {0: Refill(trials[1])}, {1: PRUNE})
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


def test_early_stopping_ends_a_trial_with_its_sentence(digits: Dataset, make_trial: Any, drive: Any) -> None:
    """A patience of two and an impossible min_delta end training at epoch three."""
    reports = drive(train([make_trial(training={"epochs": 30, "patience": 2, "min_delta": 100.0})], digits, device="cpu"))
    assert reports[-1].epoch == 3
    assert reports[-1].ended == "val_loss has not improved by more than 100 since epoch 1"


def test_a_diverged_trial_reports_nan_and_goes_on_answering(digits: Dataset, make_trial: Any, drive: Any, tmp_path: Path) -> None:
    """The loss is reported as it is, the neighbour is unharmed, and nothing broken is ever the best, not even by accuracy."""
    search = {"metric": "val_accuracy"}
    sgd = {"name": "sgd", "weight_decay": 0.0}
    wild = make_trial(0, optimizer={**sgd, "lr": 1e30}, training={"clip_norm": None}, search=search)
    calm = make_trial(1, optimizer={**sgd, "lr": 1e-2}, search=search)
    reports = drive(train([wild, calm], digits, device="cpu", checkpoints=tmp_path))
    broken = of(0, [reports])
    assert len(broken) == 3
    assert not any(r.finite() for r in broken)
    assert math.isfinite(broken[-1].metrics["val_accuracy"])
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    assert curve(of(1, [reports])) == curve(drive(train([calm], digits, device="cpu")))


def test_the_metrics_are_those_of_the_task(digits: Dataset, diabetes: Dataset, make_trial: Any, drive: Any) -> None:
    """Classification and regression each report their own; auroc only where it is searched, skipped steps only with fp16."""
    common = {"train_loss", "val_loss", "lr", "grad_norm", "seconds"}
    scores = {"train_accuracy", "val_accuracy", "val_f1_macro"}
    one: dict[str, Any] = {"training": {"epochs": 1, "monitor": False}}
    assert drive(train([make_trial(**one)], digits, device="cpu"))[0].metrics.keys() == common | scores
    searched = drive(train([make_trial(**one, search={"metric": "val_auroc"})], digits, device="cpu"))[0].metrics
    assert searched.keys() == common | scores | {"val_auroc"}
    half = drive(train([make_trial(training={**one["training"], "precision": "fp16"})], digits, device="cpu"))[0].metrics
    assert half.keys() == common | scores | {"skipped_steps"}
    regression = drive(train([make_trial(**one, task="regression", search={"metric": "val_r2"})], diabetes, device="cpu"))[0].metrics
    assert regression.keys() == common | {"val_mae", "val_rmse", "val_r2"}
    assert regression["val_rmse"] == pytest.approx(diabetes.target_scale * regression["val_loss"] ** 0.5, rel=1e-5)


def test_smoothing_changes_training_but_is_no_part_of_the_reported_losses(digits: Dataset, make_trial: Any, drive: Any) -> None:
    """A smoothed fit of ten classes cannot get below 0.5 by its own loss; the reported plain losses do."""
    trial = make_trial(training={"epochs": 15, "label_smoothing": 0.1}, optimizer={"name": "adamw", "lr": 1e-2})
    metrics = drive(train([trial], digits, device="cpu"))[-1].metrics
    assert metrics["train_loss"] < 0.3
    assert metrics["val_loss"] < 0.4


def test_a_config_that_does_not_fit_the_data_is_refused_before_training(digits: Dataset, make_trial: Any) -> None:
    """The first next raises the sentence."""
    with pytest.raises(InputError, match="the training part has"):
        next(train([make_trial(training={"batch_size": 100_000})], digits, device="cpu"))


def test_the_core_sets_the_threads_of_a_cpu_worker(digits: Dataset, make_trial: Any) -> None:
    """resources.cpus_per_worker is the number of torch threads."""
    training = train([make_trial(resources={"cpus_per_worker": 2})], digits, device="cpu")
    next(training)
    assert torch.get_num_threads() == 2
    training.close()


def test_recorded_losses_begin_where_the_model_begins(digits: Dataset, make_trial: Any) -> None:
    """The loss is that before the step: the first is a fresh model's; a trial's losses do not depend on its neighbours."""
    slow = schedule.build(WarmupCosine(warmup_fraction=0.99), 10_000, 1)
    trials = [make_trial(n, seed=n) for n in range(2)]
    losses = record_losses(trials, digits, slow, 40, device="cpu")
    assert losses.shape == (2, 40)
    assert losses[:, 0] == pytest.approx([math.log(10)] * 2, abs=0.1)
    assert np.array_equal(losses[1], record_losses(trials[1:], digits, slow, 40, device="cpu")[0])


def test_recording_stops_at_the_first_loss_that_is_not_finite(digits: Dataset, make_trial: Any) -> None:
    """The rest of that trial's row is NaN; its neighbour's row is whole."""
    sgd = {"name": "sgd", "weight_decay": 0.0}
    wild = make_trial(0, optimizer={**sgd, "lr": 1e30}, training={"clip_norm": None})
    losses = record_losses(
        [wild, make_trial(1, optimizer={**sgd, "lr": 1e-2})], digits, lambda step: 1.0 if step >= 5 else 1e-35, 50, device="cpu"
    )
    assert np.isfinite(losses[0, :6]).all()
    assert np.isnan(losses[0, 10:]).all()
    assert np.isfinite(losses[1]).all()


def test_arms_of_a_recording_may_differ_in_rate_schedule_and_seed(digits: Dataset, make_trial: Any) -> None:
    """Without a common schedule each follows its own config's, beside the others as alone."""
    ways = [({"lr": 1e-2}, {"name": "constant"}), ({"lr": 1e-3}, {"name": "constant"}), ({"lr": 1e-2}, {"name": "one_cycle"})]
    arms = [make_trial(n, seed=n % 2, optimizer={"name": "sgd", **lr}, schedule=schedule) for n, (lr, schedule) in enumerate(ways)]
    losses = record_losses(arms, digits, None, 30, device="cpu")
    assert losses[0, 0] == losses[2, 0]
    assert len({row.tobytes() for row in losses}) == 3
    for arm, row in zip(arms, losses, strict=True):
        assert np.array_equal(record_losses([arm], digits, None, 30, device="cpu")[0], row)


def test_scores_of_a_recording_are_those_of_training(digits: Dataset, make_trial: Any, drive: Any) -> None:
    """After the steps of an epoch they are what that epoch reports, by either engine and for more trials than fit side by side."""
    trials = [make_trial(n, seed=n % 2, model=NOISY, training={"epochs": 2}) for n in range(18)]
    steps = -(-len(digits.train) // 64)
    losses, scores = record_scores(trials, digits, None, [steps, steps], device="cpu")
    assert losses.shape == (18, 2 * steps)
    for trial in trials[:2]:
        reports = drive(train([trial], digits, device="cpu"))
        for name in ("val_loss", "val_accuracy", "val_f1_macro"):
            assert scores[name][trial.number].tolist() == [report.metrics[name] for report in reports]
    assert np.array_equal(scores["val_loss"][::2], np.broadcast_to(scores["val_loss"][0], (9, 2)))


def test_a_broken_model_has_no_scores(digits: Dataset, make_trial: Any) -> None:
    """Not even an accuracy, which would be a number; nor has it losses any more."""
    trials = [make_trial(n, optimizer={"name": "sgd", "lr": lr}, training={"clip_norm": None}) for n, lr in enumerate((1e-3, 1e30))]
    losses, scores = record_scores(trials, digits, lambda _: 1.0, [5, 5], device="cpu")
    assert np.isnan(losses[1, -5:]).all()
    assert all(np.isfinite(values[0]).all() and np.isnan(values[1]).all() for values in scores.values())


@pytest.mark.parametrize("name", ["tpu", "cuda:99", ""])
def test_a_device_that_is_not_there_is_told(name: str) -> None:
    """In one sentence, whichever of torch's many errors it was."""
    with pytest.raises(InputError) as caught:
        pick_device(name)
    (problem,) = caught.value.problems
    assert problem.source == "device"
    assert problem.found.startswith(f"{name!r} cannot be used: ")
    assert "cpu, auto" in problem.allowed
