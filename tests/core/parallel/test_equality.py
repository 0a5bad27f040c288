"""Two processes train what one trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from sweeper.config.files import config_from_tree
from sweeper.core import checkpoint, course, models
from sweeper.core.batches import Resident
from sweeper.core.diagnose import WATCHED
from sweeper.core.evaluate import evaluate
from sweeper.core.loop import run
from sweeper.core.parallel.stack import LedStack
from sweeper.core.stack.choose import alone
from sweeper.core.stack.plain import PlainStack
from sweeper.trial import Outcome, Stop, Trial
from tests.core.driving import CLOCK, GO, curve, of, script

STEP = {"batch_size": 32, "clip_norm": 0.5, "label_smoothing": 0.1}
MLP = {"width": 24, "dropout": 0.3}
CASES: dict[str, dict[str, Any]] = {
    "mlp": {"model": MLP, "training": STEP},
    # A bias before batch norm, or of attention's keys, has no gradient but rounding, which an adaptive optimizer blows up to whole steps.
    "batch-norm": {"model": {**MLP, "norm": "batch"}, "training": {**STEP, "accumulate": 3}, "optimizer": {"name": "sgd"}},
    "cnn": {
        "model": {"family": "cnn", "channels": 4, "hidden": 16, "conv_dropout": 0.2},
        "training": {**STEP, "clip_norm": None, "clip_value": 0.05},
        "augment": {"mixup": 0.2, "cutmix": 1.0, "rotate": 10.0},
        "optimizer": {"name": "lion"},
    },
    "rnn": {
        "model": {"family": "rnn", "width": 12, "depth": 2, "dropout": 0.2},
        "training": {**STEP, "class_weights": "balanced"},
        "optimizer": {"name": "rmsprop"},
    },
    "transformer": {
        "model": {"family": "transformer", "width": 16, "heads": 2, "depth": 2, "attention_dropout": 0.2},
        "training": {**STEP, "accumulate": 2},
        "optimizer": {"name": "sgd"},
    },
    "bf16": {"model": MLP, "training": {**STEP, "precision": "bf16"}, "optimizer": {"name": "adam"}},
    "fp16": {"model": MLP, "training": {**STEP, "precision": "fp16"}},
    "muon": {"model": MLP, "training": STEP, "optimizer": {"name": "muon"}},
}
ONLY_WHOLE = ("fp16", "muon")
"""Refused where the model is sharded."""

SHARDING = ("none", "fsdp")


@pytest.mark.parametrize(("sharding", "case"), [(s, case) for s in SHARDING for case in CASES if s == "none" or case not in ONLY_WHOLE])
def test_two_processes_train_what_one_trains(data: Resident, make_trial: Any, sharding: str, case: str) -> None:
    """Two epochs with dropout, clipping and a last batch that cannot be shared evenly: equal metrics, the same parameters."""
    parts, exact = CASES[case], case not in ("bf16", "fp16")
    one = PlainStack([make_trial(seed=3, **parts)], data)
    two = LedStack([make_trial(seed=3, **parts, resources={"processes": 2, "sharding": sharding})], data)
    for _ in range(2):
        expected, found = one.run_epoch()[0], two.run_epoch()[0]
        assert found.keys() == expected.keys()
        for name in expected.keys() - CLOCK:
            # The mean of an activation is a small difference of large numbers.
            near = (1e-3 if name.startswith(WATCHED) else 2e-5) if exact else 2e-2
            assert found[name] == pytest.approx(expected[name], rel=near, abs=1e-7), name
    expected_state, state = one.lane(0).state(), two.lane(0).state()
    assert list(state) == list(expected_state)
    for name, tensor in expected_state.items():
        torch.testing.assert_close(state[name], tensor, rtol=1e-3 if exact else 0.2, atol=1e-5 if exact else 1e-2)
    assert two.lane(0).parameters == one.lane(0).parameters


def test_losses_are_those_of_the_whole_step(data: Resident, make_trial: Any) -> None:
    """The range test's record of nine steps, more than an epoch, under its own schedule."""
    lr = make_trial().config["optimizer"]["lr"]
    stacks = [
        make([make_trial(model={"norm": "batch"}, resources={"processes": count})], data, lambda step: 1e-4 * 2.0**step / lr, 9)
        for make, count in ((PlainStack, 1), (LedStack, 2))
    ]
    one, two = (stack.record(9) for stack in stacks)
    torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-5)
    expected, found = (stack.validate()[0]["val_loss"] for stack in stacks)
    assert found == pytest.approx(expected, rel=2e-3)  # the last rates are high, and what was rounded grows


def test_steps_can_be_timed(data: Resident, make_trial: Any) -> None:
    """An epoch of five steps, one by one."""
    stack = LedStack([make_trial(training=STEP, resources={"processes": 2})], data)
    assert len(list(stack.rehearse())) == 5


@pytest.mark.parametrize("sharding", SHARDING)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_an_interrupted_trial_is_taken_up(
    data: Resident, make_trial: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sharding: str, optimizer: str
) -> None:
    """With the bits of an undisturbed course, drops on a plateau included; the checkpoint is that of a single model."""
    monkeypatch.setattr(course, "SAVE_SECONDS", -1.0)
    monkeypatch.setattr(course, "SAVE_SHARE", 1e9)
    trial = make_trial(
        4,
        seed=4,
        model={"width": 13, "norm": "batch", "dropout": 0.3},
        training={**STEP, "epochs": 5, "min_delta": 100.0},
        schedule={"name": "reduce_on_plateau", "patience": 2, "factor": 0.5},
        optimizer={"name": optimizer},
        resources={"processes": 2, "sharding": sharding},
    )
    training = begun(trial, data, tmp_path / "a")
    next(training)
    for _ in range(2):
        training.send([GO])
    training.close()
    resumed, whole = (script(begun(trial, data, tmp_path / name)) for name in "ab")
    assert curve(of(4, resumed)) == curve(of(4, whole))
    assert [report.metrics["lr"] for report in of(4, whole)] != [report.metrics["lr"] for report in of(4, whole)[:1]] * 5
    saved = checkpoint.load(tmp_path / "a" / "4")
    config = config_from_tree(saved.config)
    model = models.build(config.model, saved.input_shape, saved.outputs)
    model.load_state_dict(dict(saved.state))
    assert evaluate(model, data.val, data.task)["loss"] == pytest.approx(saved.metrics["val_loss"], rel=1e-5)


def test_a_trial_may_end_early_and_another_begin(data: Resident, make_trial: Any, tmp_path: Path) -> None:
    """A pruned trial leaves nothing; the same processes train the next one, whose numbers are its own."""
    parts = {"model": MLP, "training": STEP, "resources": {"processes": 2}}
    training = begun(make_trial(1, seed=1, **parts), data, tmp_path)
    next(training)
    with pytest.raises(StopIteration):
        training.send([Stop(Outcome.PRUNED, "worse")])
    assert list(tmp_path.iterdir()) == []
    found = of(2, script(begun(make_trial(2, seed=2, **parts), data, tmp_path)))
    expected = of(2, script(run([alone_trial := make_trial(2, seed=2, model=MLP, training=STEP)], data, alone(alone_trial, data), None)))
    assert [r.metrics["val_loss"] for r in found] == pytest.approx([r.metrics["val_loss"] for r in expected], rel=2e-5)
    assert "data-parallel over 2 processes (gloo), 16 rows each of every batch of 32" in (found[0].how or "")
    assert "effective batch 32" in (found[0].how or "")


def begun(trial: Trial, data: Resident, checkpoints: Path) -> Any:
    """A training of one trial as the loop begins it."""
    return run([trial], data, alone(trial, data), checkpoints)
