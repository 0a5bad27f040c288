"""Short trainings through the core that a sound model and optimizer must pass."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sweeper.config.files import config_from_tree, tree_of
from sweeper.config.resolve import shape
from sweeper.config.schema import Config
from sweeper.core.batches import Plan, Resident, Rows
from sweeper.core.evaluate import outputs_of
from sweeper.core.loop import run
from sweeper.core.stack.choose import alone
from sweeper.core.stack.plain import PlainStack
from sweeper.preflight.finding import Finding, failed, passed, warned
from sweeper.trial import Continue, Trial

STEPS = 10
"""After which the loss of one batch must have fallen."""

EXAMPLES, EPOCHS = 10, 100
"""So few rows must be learnt by heart in so many epochs."""

BY_HEART = 0.01
"""Of a regression target's variance may be left."""

REPEATED_EPOCHS, REPEATED_STEPS, REPEATED_ROWS = 2, 8, 512
"""How much of a training is repeated: epochs, steps of each, and validation rows."""

FASTER, SLOWER = (10.0,), (0.1, 0.01)
"""Times the config's learning rate: tried where it fails, to tell a rate from a bug. A higher one may be needed for so few steps and means
nothing; a lower one says that the config's is too high."""


def trial_of(config: Config) -> Trial:
    """The trial of a config, with the seed that it says, in one process: several would give the same numbers later."""
    alone = config.model_copy(update={"resources": config.resources.model_copy(update={"processes": 1, "sharding": "none"})})
    return Trial(0, config.training.seed, {}, tree_of(alone), shape(alone))


def unregularised(config: Config, *, batch_size: int, epochs: int, rate: float = 1.0) -> Config:
    """The config with everything off that keeps a model from learning by heart, and a constant learning rate.

    Dropout and weight decay are 0; augmentation and all of ``training`` but precision, clipping and seed are the schema's defaults.

    Args:
        config: with its regularisation.
        batch_size: of the new one.
        epochs: of the new one.
        rate: times the config's learning rate.
    """
    tree = tree_of(config)
    tree.pop("augment", None)
    tree.pop("provenance", None)
    kept = {key: tree["training"][key] for key in ("precision", "clip_norm", "seed")}
    optimizer = {**tree["optimizer"], "lr": tree["optimizer"]["lr"] * rate}
    return config_from_tree(
        {
            **tree,
            "model": _without_dropout(tree["model"]),
            "optimizer": optimizer | ({"weight_decay": 0.0} if "weight_decay" in optimizer else {}),
            "schedule": {"name": "constant"},
            "training": {**kept, "batch_size": batch_size, "epochs": epochs, "patience": None, "engine": "plain"},
        }
    )


def _without_dropout(tree: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found[key] = _without_dropout(value)
        elif "dropout" in key and isinstance(value, list):
            found[key] = [0.0] * len(value)
        else:
            found[key] = 0.0 if "dropout" in key and isinstance(value, float) else value
    return found


def loss_decreases(config: Config, data: Resident) -> Finding:
    """Ten steps on one batch, regularisation off: the loss must be lower afterwards."""
    check = "loss decreases"
    size = min(config.training.batch_size, len(data.train))
    few = _only(data, data.train.take(slice(size)))

    def losses(rate: float) -> list[float]:
        trial = trial_of(unregularised(config, batch_size=size, epochs=STEPS + 1, rate=rate))
        found: list[float] = PlainStack([trial], few).record(STEPS + 1)[0].tolist()
        return found

    found = losses(1.0)
    told = f"from {found[0]:.3f} to {found[-1]:.3f} in {STEPS} steps on one batch of {size} rows"
    if found[-1] < found[0]:
        return passed(check, told)
    for rate in SLOWER:
        if (other := losses(rate))[-1] < other[0]:
            return _too_high(check, told, config, rate)
    return failed(check, f"{told}, and at lower learning rates it does not fall either", "a bug in the model or its gradients", "model")


def overfits(config: Config, data: Resident) -> Finding:
    """Ten rows, regularisation off, evaluation on the same rows: all must be right within 100 epochs, or there is a bug."""
    check = f"overfit {EXAMPLES} examples"
    rows = _examples(data)
    few = _only(data, rows)
    epoch, left = _learn(config, few, 1.0)
    if epoch is not None:
        return passed(check, f"all {len(rows)} learnt by heart in {epoch} epochs")
    told = f"after {EPOCHS} epochs {left}"
    for rate in (*FASTER, *SLOWER):
        epoch, _ = _learn(config, few, rate)
        if epoch is not None and rate > 1:
            sooner = f"all {len(rows)} learnt by heart in {epoch} epochs at lr {config.optimizer.lr * rate:g}"
            return passed(check, f"{sooner} ({config.optimizer.lr:g} is too low for so few steps)")
        if epoch is not None:
            return _too_high(check, told, config, rate)
    remedy = "model or optimisation bug: look at the other rows, the loss, the labels, and whether the model is large enough"
    return failed(check, f"{told}, and at other learning rates no better", remedy, "model")


def repeats(config: Config, data: Resident) -> Finding:
    """Two short runs of the same config and seed must report the same metrics, bit for bit, whoever else draws random numbers."""
    check = "seeds"
    plan = Plan.of(config, len(data.train))
    rows = min(len(data.train), REPEATED_STEPS * plan.step_rows)
    few = replace(data, train=data.train.take(slice(rows)), val=data.val.take(slice(REPEATED_ROWS)))
    first = _curve(config, few)
    with _others_draw():
        second = _curve(config, few)
    same = sum(a == b for a, b in zip(first, second, strict=True))
    if same == len(first):
        return passed(check, f"two runs of {len(first)} epochs give the same metrics, bit for bit")
    if data.device.type != "cpu":
        found = f"two runs differ from epoch {same + 1} on; on a GPU some kernels add up in any order"
        return warned(check, found, "compare configs over several seeds", "training.seed")
    found = f"two runs of the same config and seed differ in epoch {same + 1}"
    remedy = "a model draws random numbers from torch's generator only, never from random or numpy, and looks at no clock"
    return failed(check, found, remedy, "model")


def _too_high(check: str, told: str, config: Config, rate: float) -> Finding:
    peak, better = config.optimizer.lr, config.optimizer.lr * rate
    found = f"{told} at lr {peak:g}, but it works at {better:g}: the default learning rate is too high without a warm-up"
    return warned(check, found, "lower rates or a warm-up; sweeper lr-range finds the useful ones", "optimizer.lr")


def _only(data: Resident, rows: Rows) -> Resident:
    return replace(data, train=rows, val=rows)


def _examples(data: Resident) -> Rows:
    """Ten random training rows with different inputs, always the same ones."""
    seen: dict[bytes, int] = {}
    for row in torch.randperm(len(data.train), generator=torch.Generator().manual_seed(0)).tolist():
        seen.setdefault(data.train.x[row].cpu().numpy().tobytes(), row)
        if len(seen) == EXAMPLES:
            break
    chosen = torch.tensor(sorted(seen.values()), device=data.device)
    return data.train.take(chosen)


def _learn(config: Config, data: Resident, rate: float) -> tuple[int | None, str]:
    """The epoch after which every row is right, or None and what is still wrong."""
    stack = PlainStack([trial_of(unregularised(config, batch_size=len(data.train), epochs=EPOCHS, rate=rate))], data)
    told = ""
    for epoch in range(1, EPOCHS + 1):
        stack.run_epoch()
        outputs = outputs_of(stack.lane(0).model, data.train.x).double()
        share, told = _by_heart(outputs, data.train.y, data.task)
        if share:
            return epoch, told
    return None, told


def _by_heart(outputs: torch.Tensor, y: torch.Tensor, task: str) -> tuple[bool, str]:
    if task == "regression":
        left = float((outputs.squeeze(1) - y).square().mean() / y.double().var(correction=0).clamp(min=1e-12))
        return left < BY_HEART, f"{left:.1%} of the target's variance is left" if math.isfinite(left) else "the outputs are not finite"
    right = (outputs.argmax(1) == y) if task == "classification" else ((outputs > 0) == (y > 0)).all(1)
    return bool(right.all()), f"{int(right.sum())} of {len(y)} rows are right"


def _curve(config: Config, data: Resident) -> list[dict[str, str]]:
    trial = trial_of(config)
    training = run([trial], data, alone(trial, data), None)
    found = []
    reports = next(training)
    while True:
        numbers = reports[0].metrics
        found.append({name: value.hex() for name, value in numbers.items() if name.startswith(("train_", "val_", "grad_norm"))})
        if len(found) == REPEATED_EPOCHS or reports[0].ended:
            training.close()
            return found
        reports = training.send([Continue("repeated")])


@contextmanager
def _others_draw() -> Iterator[None]:
    """Within it the global generators stand elsewhere than before; afterwards they are back."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([]):
            torch.manual_seed(1)
            random.seed(1)
            np.random.seed(1)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
