"""Gradient accumulation: several batches make one optimizer step."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sweeper.core.batches import Resident
from sweeper.core.stack.fused import FusedStack
from sweeper.core.stack.plain import PlainStack
from sweeper.data.dataset import Dataset
from tests.core.driving import cut

CPU = torch.device("cpu")
ENGINES = {"plain": PlainStack, "stacked": FusedStack}
WHOLE = {"batch_size": 32, "clip_norm": 0.5, "label_smoothing": 0.1}
PARTS = {**WHOLE, "batch_size": 8, "accumulate": 4}


@pytest.fixture(scope="module")
def data(digits: Dataset) -> Resident:
    """Rows for four steps of 32 and one of 22, that is of 8, 8 and 6."""
    return Resident.of(cut(digits, 150, 61), CPU)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("engine", ENGINES)
def test_four_batches_of_eight_equal_one_of_32(data: Resident, make_trial: Any, engine: str, optimizer: str) -> None:
    """Two epochs with clipping, smoothing and a schedule: equal parameters and metrics, the short last step of an epoch included."""
    stacks = [ENGINES[engine]([make_trial(optimizer={"name": optimizer}, training=training)], data) for training in (WHOLE, PARTS)]
    for _ in range(2):
        one, many = (stack.run_epoch()[0] for stack in stacks)
        assert many == pytest.approx(one, rel=1e-5)
    one, many = (stack.lane(0).state() for stack in stacks)
    for name, tensor in one.items():
        torch.testing.assert_close(many[name], tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_last_step_of_an_epoch_is_the_mean_over_its_own_rows(data: Resident, make_trial: Any, engine: str) -> None:
    """Recorded losses, one per optimizer step, are those of the whole batches, also of the one with 22 rows."""
    losses = [ENGINES[engine]([make_trial(training=training)], data).record(7) for training in (WHOLE, PARTS)]
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_of_two_batches_is_not_one_of_their_size(data: Resident, make_trial: Any, engine: str) -> None:
    """Eight steps of 8 rows are not two of 32: the rows per step matter, not how they are cut."""
    losses = [ENGINES[engine]([make_trial(training={**PARTS, "accumulate": k})], data).record(5)[0, -1].item() for k in (1, 4)]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_gradients_add_up_in_half_precision(data: Resident, make_trial: Any, precision: str) -> None:
    """The loss scale is taken off once per step, before clipping."""
    losses = [PlainStack([make_trial(training={**t, "precision": precision})], data).record(7) for t in (WHOLE, PARTS)]
    torch.testing.assert_close(losses[1], losses[0], rtol=2e-2, atol=1e-3)
