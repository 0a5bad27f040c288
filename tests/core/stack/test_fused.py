"""The stack as one program: what an epoch costs, and lanes that come, go and are exported."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sweeper.core import models
from sweeper.core.batches import Resident
from sweeper.core.evaluate import evaluate
from sweeper.core.stack.fused import FusedStack
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from tests.core.driving import cut
from tests.core.syncs import Syncs

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(digits: Dataset) -> Resident:
    """A few digits."""
    return Resident.of(cut(digits, 150, 61), CPU)


@pytest.mark.parametrize("family", ["mlp", "cnn"])
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "rmsprop", "lion", "sgd"])
def test_an_epoch_costs_one_transfer_whatever_the_lanes(data: Resident, make_trial: Any, family: str, optimizer: str) -> None:
    """No step of an epoch with clipping, dropout, norms and smoothing brings a number to the host.

    (torch's fused optimizers read their step count from a tensor inside a CPU kernel; they are not used elsewhere.)
    """
    parts = {"model": {"family": family, "dropout": 0.2, "norm": "batch"}, "optimizer": {"name": optimizer}}
    stack = FusedStack([make_trial(n, **parts, training={"batch_size": 32, "label_smoothing": 0.1 * n}) for n in range(3)], data)
    with Syncs() as syncs:
        found = stack.run_epoch()
    assert len(found) == 3
    assert syncs.count == 0, "tolist is the one transfer, and it is no operation"


@pytest.mark.parametrize("parts", [{"width": 9, "norm": "batch", "dropout": 0.3}, {"family": "cnn", "channels": 3, "hidden": 8}])
def test_a_lane_is_exported_as_an_ordinary_model(digits: Dataset, data: Resident, make_trial: Any, parts: dict[str, Any]) -> None:
    """Its state has a single model's names and shapes, and that model has the lane's scores."""
    stack = FusedStack([make_trial(n, seed=n, model=parts) for n in range(3)], data)
    found = stack.run_epoch()
    for slot in range(3):
        lane = stack.lane(slot)
        net = models.build(lane.config.model, data.input_shape, data.outputs)
        net.load_state_dict(lane.state(), strict=True)
        assert list(lane.state()) == list(net.state_dict())
        scores = evaluate(net, data.val, data.task)
        assert {f"val_{name}": value for name, value in scores.items()} == pytest.approx(
            {name: value for name, value in found[slot].items() if name.startswith("val_")}, rel=1e-5
        )


def test_a_slot_may_be_filled_after_it_was_empty(data: Resident, make_trial: Any) -> None:
    """Before and after the others moved together, and beside more lanes than there were; every lane keeps its bits."""
    parts = {"model": {"width": 9, "norm": "batch", "dropout": 0.3}}
    single = FusedStack([make_trial(1, seed=1, **parts)], data)
    alone = [single.run_epoch()[0] for _ in range(3)]
    stack = FusedStack([make_trial(n, seed=n, **parts) for n in range(3)], data)
    assert stack.run_epoch()[1] == alone[0]
    stack.drop(0)
    assert stack.run_epoch().keys() == {1, 2}
    stack.put(0, make_trial(1, seed=1, **parts))
    stack.put(7, make_trial(1, seed=1, **parts))
    found = stack.run_epoch()
    assert found.keys() == {0, 1, 2, 7}
    assert found[0] == found[7] == alone[0]
    assert found[1] == alone[2]
    stack.drop(1)
    stack.put(1, make_trial(1, seed=1, **parts))
    found = stack.run_epoch()
    assert (found[0], found[1]) == (alone[1], alone[0])


def test_what_differs_from_lane_to_lane_does_not_cross_over(data: Resident, make_trial: Any) -> None:
    """The lanes' rates, told with the epoch, are their own after others have left."""
    trials = [make_trial(n, optimizer={"name": "adamw", "lr": 10.0 ** -(n + 1)}, schedule={"name": "constant"}) for n in range(3)]
    stack = FusedStack(trials, data)
    assert [metrics["lr"] for metrics in stack.run_epoch().values()] == pytest.approx([0.1, 0.01, 0.001])
    stack.drop(0)
    assert {slot: metrics["lr"] for slot, metrics in stack.run_epoch().items()} == pytest.approx({1: 0.01, 2: 0.001})


def test_a_loss_that_is_not_finite_ends_a_lanes_record(data: Resident, make_trial: Any) -> None:
    """NaN from the step after its first one on; the neighbours' rows are whole."""
    sgd = {"name": "sgd", "weight_decay": 0.0}
    wild = make_trial(0, optimizer={**sgd, "lr": 1e30}, training={"clip_norm": None})
    losses = FusedStack([wild, make_trial(1, optimizer={**sgd, "lr": 0.01})], data).record(12)
    assert losses.shape == (2, 12)
    assert losses[1].isfinite().all()
    first = int((~losses[0].isfinite()).nonzero()[0])
    assert 0 < first < 5
    assert losses[0, first + 1 :].isnan().all()


def test_what_the_plain_engine_refuses_is_refused(data: Resident, make_trial: Any) -> None:
    """In the first lane, in another and in a refill: a batch that is too large, Nesterov's variant without momentum."""
    with pytest.raises(InputError, match="the training part has"):
        FusedStack([make_trial(training={"batch_size": 1000})], data)
    good, bad = ({"name": "sgd", "nesterov": True, "momentum": momentum} for momentum in (0.9, 0.0))
    with pytest.raises(InputError, match="momentum above 0"):
        FusedStack([make_trial(optimizer=good), make_trial(optimizer=bad)], data)
    with pytest.raises(InputError, match="momentum above 0"):
        FusedStack([make_trial(optimizer=good)], data).put(0, make_trial(optimizer=bad))
