"""The learning rate that is really used: scaled with the batch, and told in the reports."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sweeper.config.files import config_from_tree
from sweeper.core.loop import train
from sweeper.core.rate import batch_scale, told
from sweeper.data.dataset import Dataset
from tests.core.driving import cut, script

ENGINES = pytest.mark.parametrize("engine", ["plain", "stacked"])


@pytest.fixture(scope="module")
def small(digits: Dataset) -> Dataset:
    """A few digits."""
    return cut(digits, 100, 30)


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"batch_size": 512}, 1.0),
        ({"batch_size": 512, "scale_lr_with_batch": 64}, 8.0),
        ({"batch_size": 512, "scale_lr_with_batch": 64, "scale_lr_rule": "sqrt"}, math.sqrt(8.0)),
        ({"batch_size": 16, "scale_lr_with_batch": 64}, 0.25),
        ({"batch_size": 16, "accumulate": 8, "scale_lr_with_batch": 64}, 2.0),
    ],
)
def test_the_rate_grows_with_the_effective_batch(make_trial: Any, training: dict[str, Any], expected: float) -> None:
    """Batch times k, rate times k, or times its square root; rows that are accumulated count."""
    assert batch_scale(config_from_tree(make_trial(training=training).config)) == pytest.approx(expected)


def test_the_effective_batch_is_told(make_trial: Any) -> None:
    """With what it does to the learning rate, if it does anything."""
    training = {"batch_size": 32, "accumulate": 4}
    assert told(config_from_tree(make_trial(training=training).config)) == "effective batch 128"
    scaled = {**training, "scale_lr_with_batch": 64, "scale_lr_rule": "sqrt"}
    assert (
        told(config_from_tree(make_trial(training=scaled).config)) == "effective batch 128, learning rate times 1.41 for it (sqrt from 64)"
    )


@ENGINES
def test_the_scaled_rate_is_what_trains_and_what_is_told(small: Dataset, make_trial: Any, engine: str) -> None:
    """A quarter of the base batch with four times the learning rate is the same training."""
    schedule, training = {"name": "step", "step_size": 1, "gamma": 0.5}, {"engine": engine, "batch_size": 16}
    scaled = make_trial(0, schedule=schedule, optimizer={"name": "sgd", "lr": 0.4}, training={**training, "scale_lr_with_batch": 64})
    plain = make_trial(0, schedule=schedule, optimizer={"name": "sgd", "lr": 0.1}, training=training)
    found, expected = (script(train([trial], small, device="cpu")) for trial in (scaled, plain))
    assert [reports[0].metrics["lr"] for reports in found] == pytest.approx([0.1, 0.05, 0.025])
    for one, other in zip(found, expected, strict=True):
        assert one[0].metrics["val_loss"] == other[0].metrics["val_loss"]


@ENGINES
def test_the_horizon_is_the_full_runs(small: Dataset, make_trial: Any, engine: str) -> None:
    """Training that stops early was on its way to the end that all its epochs would have had."""
    trial = make_trial(0, schedule={"name": "warmup_linear"}, training={"engine": engine, "epochs": 10, "patience": 2, "min_delta": 100.0})
    rounds = script(train([trial], small, device="cpu"))
    assert [reports[0].metrics["lr"] for reports in rounds] == pytest.approx([1e-3 * 0.505, 1e-3 * 17 / 18, 1e-3 * 15 / 18])
