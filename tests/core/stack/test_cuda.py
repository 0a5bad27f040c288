"""What the stack promises on a GPU: lanes agree with models one by one to rounding, and no step waits for the device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sweeper.core.batches import Resident
from sweeper.core.loop import train
from sweeper.core.stack import feed
from sweeper.core.stack.choose import for_shape
from sweeper.core.stack.fused import FusedStack
from sweeper.core.stack.plain import PlainStack
from sweeper.data.dataset import Dataset
from sweeper.trial import Refill, Trial
from tests.core.driving import GO, PRUNE, cut, of, script
from tests.core.stack.test_equality import close
from tests.core.syncs import no_syncs

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

STEADY = {"name": "adamw", "lr": 1e-3, "eps": 1e-3}
CNN = {"family": "cnn", "channels": 4, "hidden": 16}
TRANSFORMER = {"family": "transformer", "width": 8, "heads": 2, "depth": 1}
SGD = {"name": "sgd", "lr": 1e-2, "momentum": 0.9}

TECHNIQUES: dict[str, tuple[dict[str, Any], float]] = {
    "adamw": ({}, 2e-3),
    "adam": ({"optimizer": {"name": "adam"}}, 2e-3),
    "sgd": ({"optimizer": {**SGD, "nesterov": True}}, 2e-3),
    "rmsprop": ({"optimizer": {"name": "rmsprop", "momentum": 0.5, "eps": 1e-4}}, 5e-3),
    "lion": ({"optimizer": {"name": "lion"}}, 5e-2),
    "dropout": ({"model": {"dropout": 0.3}}, 2e-3),
    "batch-norm": ({"model": {"norm": "batch", "dropout": 0.2}, "optimizer": STEADY}, 2e-3),
    "layer-norm": ({"model": {"norm": "layer", "activation": "gelu"}}, 2e-3),
    "accumulate": ({"training": {"accumulate": 3, "clip_norm": 0.1}}, 2e-3),
    "clip-value": ({"training": {"clip_norm": None, "clip_value": 0.01}}, 2e-3),
    "mixing": ({"augment": {"mixup": 0.3, "noise": 0.1}, "training": {"class_weights": "balanced", "label_smoothing": 0.1}}, 2e-3),
    "images": ({"augment": {"crop": 1, "rotate": 15, "erase": 0.2, "flip": 0.5}}, 2e-3),
    "schedule": ({"schedule": {"name": "one_cycle"}}, 2e-3),
    "cnn": ({"model": {**CNN, "dropout": 0.3}, "optimizer": SGD}, 5e-3),
    "cnn-residual": ({"model": {**CNN, "residual": True, "conv_dropout": 0.2, "global_pooling": True}, "optimizer": SGD}, 5e-3),
    "transformer": ({"model": {**TRANSFORMER, "dropout": 0.1, "attention_dropout": 0.1}, "optimizer": SGD}, 5e-3),
    "transformer-fused-attention": ({"model": {**TRANSFORMER, "attention_dropout": 0.0}, "optimizer": SGD}, 5e-3),
    "bf16": ({"training": {"precision": "bf16"}}, 5e-2),
    "bf16-norm": ({"training": {"precision": "bf16"}, "model": {"norm": "batch", "dropout": 0.2}, "optimizer": STEADY}, 5e-2),
    "cnn-bf16": ({"training": {"precision": "bf16"}, "model": CNN, "optimizer": SGD}, 1e-1),
}


@pytest.fixture(scope="module")
def rows(digits: Dataset) -> Dataset:
    """An epoch of some full batches and a short one."""
    return cut(digits, 300, 100)


def trial_of(make_trial: Any, number: int, engine: str, parts: dict[str, Any]) -> Trial:
    """Width 24 and fp32 unless the parts say otherwise; a seed of its own."""
    tree = {**parts, "training": {"precision": "fp32", "batch_size": 64, **parts.get("training", {}), "engine": engine}}
    tree["model"] = {**({} if "family" in parts.get("model", {}) else {"width": 24}), **parts.get("model", {})}
    found: Trial = make_trial(number, seed=100 + number, **tree)
    return found


@pytest.mark.parametrize("name", TECHNIQUES)
def test_lanes_agree_with_models_one_by_one(rows: Dataset, make_trial: Any, tmp_path: Path, name: str) -> None:
    """Three lanes, one of them pruned and refilled, against plain models with the same masks and augmentations."""
    parts, tolerance = TECHNIQUES[name]

    def course(engine: str) -> list[list[Any]]:
        trials = [trial_of(make_trial, number, engine, parts) for number in range(4)]
        answers = ({1: Refill(trials[3])}, {0: PRUNE})
        return script(train(trials[:3], rows, device="cuda", checkpoints=tmp_path / engine), *answers)

    stacked, plain = course("stacked"), course("plain")
    assert {(one.how or "").split(":")[0] for rounds in (stacked, plain) for one in rounds[0]} == {"stacked", "plain"}
    for number in range(4):
        close(of(number, stacked), of(number, plain), tolerance)


def test_a_diverged_neighbour_changes_nothing(rows: Dataset, make_trial: Any) -> None:
    """One lane's learning rate blows up beside three others."""
    trials = [trial_of(make_trial, number, "stacked", {}) for number in range(4)]
    wild = trial_of(make_trial, 9, "stacked", {"optimizer": {"name": "adamw", "lr": 1e30}, "training": {"clip_norm": None}})
    beside = script(train([trials[0], wild, *trials[1:]], rows, device="cuda"), *[{9: GO}] * 3)
    without = script(train(trials, rows, device="cuda"))
    assert not all(report.finite() for report in of(9, beside))
    for number in range(4):
        close(of(number, beside), of(number, without), 2e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stacked_step_waits_for_nothing(digits: Dataset, make_trial: Any, precision: str) -> None:
    """Once recorded, the steps of an epoch run under the device's own watch for syncs."""
    data = Resident.of(digits, torch.device("cuda"))
    trials = [trial_of(make_trial, n, "stacked", {"model": {"dropout": 0.1}, "training": {"precision": precision}}) for n in range(4)]
    stack = FusedStack(trials, data)
    stack.run_epoch()
    chunks = list(feed.epoch_of(stack._by_row, data, stack._plan, stack._fit))
    for chunk in chunks:
        steps = stack._steps(chunk)
        next(steps)  # the rates are sent at the first
        with no_syncs():
            list(steps)


@pytest.mark.parametrize("engine", ["plain", "stacked"])
def test_an_interrupted_trial_goes_on(rows: Dataset, make_trial: Any, tmp_path: Path, monkeypatch: Any, engine: str) -> None:
    """Taken up from what was saved after its first epoch, it makes the same course to rounding."""
    monkeypatch.setattr("sweeper.core.course.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("sweeper.core.course.SAVE_SHARE", 1e9)
    trial = trial_of(make_trial, 0, engine, {"model": {"dropout": 0.2}})
    broken = train([trial], rows, device="cuda", checkpoints=tmp_path)
    next(broken)
    broken.close()
    resumed = script(train([trial], rows, device="cuda", checkpoints=tmp_path))
    assert "taken up after epoch 1" in (resumed[0][0].how or "")
    close(of(0, resumed), of(0, script(train([trial], rows, device="cuda"))), 1e-3)


@pytest.mark.parametrize("precision", ["bf16", "fp16", "auto"])
def test_low_precision_learns(digits: Dataset, make_trial: Any, precision: str) -> None:
    """Ten epochs of digits in each."""
    trial = make_trial(training={"precision": precision, "epochs": 10}, optimizer={"name": "adamw", "lr": 3e-3})
    last = script(train([trial], digits, device="cuda"))[-1][0]
    assert last.metrics["val_accuracy"] > 0.9


def test_the_engine_is_chosen_by_time(digits: Dataset, make_trial: Any) -> None:
    """A small model is stacked in many lanes, and the reason has the gain."""
    choice = for_shape(replace(make_trial(), shape="one"), Resident.of(digits, torch.device("cuda")))
    assert choice.engine == "stacked"
    assert choice.lanes > 1
    assert "measured on cuda" in choice.reason


@pytest.mark.filterwarnings("ignore:RNN module weights")
@pytest.mark.parametrize("family", ["mlp", "rnn"])
def test_one_model_may_be_a_recorded_step(digits: Dataset, make_trial: Any, family: str) -> None:
    """Where nothing is trained beside it, and where torch cannot map it: one lane, and the losses of the plain engine."""
    trial = make_trial(model={"family": family, "width": 16}, training={"precision": "fp32"}, optimizer=SGD)
    data = Resident.of(digits, torch.device("cuda"))
    choice = for_shape(trial, data, single=True)
    assert (choice.engine, choice.lanes) == ("stacked", 1), choice.reason
    torch.testing.assert_close(choice.stack([trial], data).record(40), PlainStack([trial], data).record(40), rtol=1e-3, atol=1e-4)
