"""Plain models in lockstep: the step and the stack."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from sweeper.core import seeds
from sweeper.core.batches import Resident, in_order
from sweeper.core.stack.plain import PlainLane, PlainStack
from sweeper.data.dataset import Dataset
from tests.core.syncs import Syncs, no_syncs

CPU = torch.device("cpu")


def test_the_counter_of_syncs_counts() -> None:
    """It sees an item() and a branch on a tensor."""
    with Syncs() as syncs:
        value = torch.ones(())
        value.item()
        assert value > 0
    assert syncs.count == 2


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "lion", "sgd"])
def test_a_step_waits_for_nothing(digits: Dataset, make_trial: Any, precision: str, optimizer: str) -> None:
    """Twenty steps with clipping, a schedule and dropout bring no number to the host."""
    trial = make_trial(model={"dropout": 0.1, "norm": "batch"}, training={"precision": precision}, optimizer={"name": optimizer})
    lane = PlainLane(trial, Resident.of(digits, CPU))
    (chunk,) = in_order(Resident.of(digits, CPU).train, lane.plan, 0, 1)
    with Syncs() as syncs:
        for batch in list(chunk.split(64))[:10] * 2:
            lane.step(batch)
    assert syncs.count == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: its debug mode turns hidden syncs into errors")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_step_on_a_gpu_waits_for_nothing(digits: Dataset, make_trial: Any, precision: str) -> None:
    """The same under the device's own watch."""
    data = Resident.of(digits, torch.device("cuda"))
    lane = PlainLane(make_trial(model={"dropout": 0.1}, training={"precision": precision}), data)
    (chunk,) = in_order(data.train, lane.plan, 0, 1)
    lane.step(next(chunk.split(64)))
    with no_syncs():
        for batch in chunk.split(64):
            lane.step(batch)


def test_an_epoch_costs_one_transfer_whatever_the_lanes(digits: Dataset, make_trial: Any) -> None:
    """Training and evaluating three lanes makes one list of numbers, not one per step or metric."""
    stack = PlainStack([make_trial(n) for n in range(3)], Resident.of(digits, CPU))
    with Syncs() as syncs:
        found = stack.run_epoch()
    assert len(found) == 3
    assert syncs.count == 0, "tolist is the one transfer, and it is no operation"


def test_the_mean_gradient_norm_is_before_clipping(digits: Dataset, make_trial: Any) -> None:
    """A tight limit changes the course, not what the norm means: it stays far above the limit."""
    stack = PlainStack([make_trial(training={"clip_norm": 0.01})], Resident.of(digits, CPU))
    assert stack.run_epoch()[0]["grad_norm"] > 0.5


def test_the_reported_rate_is_the_last_steps(digits: Dataset, make_trial: Any) -> None:
    """With a constant schedule it is the peak."""
    stack = PlainStack([make_trial(optimizer={"name": "sgd", "lr": 0.03}, schedule={"name": "constant"})], Resident.of(digits, CPU))
    assert stack.run_epoch()[0]["lr"] == pytest.approx(0.03)


def test_batch_norm_survives_a_last_batch_of_one(digits: Dataset, make_trial: Any) -> None:
    """The training part leaves one row over: it is left out of that epoch."""
    rows = len(digits.train)
    size = next(size for size in range(2, rows) if rows % size == 1)
    stack = PlainStack([make_trial(model={"norm": "batch"}, training={"batch_size": size})], Resident.of(digits, CPU))
    assert stack.run_epoch()[0]["train_loss"] > 0


@pytest.mark.parametrize("draw", [lambda: float(torch.rand(())), np.random.random, random.random], ids=["torch", "numpy", "python"])
def test_noise_is_keyed_and_leaves_the_global_generator_alone(draw: Callable[[], float]) -> None:
    """The same seed and epoch give the same numbers, any other does not, and the generator's own stream goes on as if nothing had been."""

    def drawn(seed: int, epoch: int) -> float:
        with seeds.noise(seed, epoch, CPU):
            return draw()

    seeds.sow(5, CPU)
    expected = [draw(), draw()]
    seeds.sow(5, CPU)
    first = draw()
    assert drawn(1, 1) == drawn(1, 1)
    assert len({drawn(seed, epoch) for seed in (1, 2) for epoch in (1, 2)}) == 4
    assert [first, draw()] == expected


def test_a_skipped_step_repeats_its_rate(digits: Dataset, make_trial: Any) -> None:
    """Where fp16's loss scale is far too high at first, every loss of the recording still belongs to the rate of its place."""
    trial = make_trial(training={"precision": "fp16"}, optimizer={"name": "adamw", "lr": 1e-3})
    lane = PlainLane(trial, Resident.of(digits, CPU), lambda step: 1.0 + step, 12)
    lane.precision._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30)
    losses = lane.record(12)
    assert lane.precision.skipped > 0
    assert torch.isfinite(losses).all()
    assert float(lane._rate.lr) == pytest.approx(12e-3)
