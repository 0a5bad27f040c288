"""The monitor's numbers: what they are, when they are taken, and that nothing is changed by looking."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from sweeper.core import models, monitor
from sweeper.core.diagnose import WATCHED
from sweeper.core.loop import train
from sweeper.data.dataset import Dataset
from tests.core.driving import CLOCK, curve, cut

NAMES = {
    "grad_norm_max",
    "grad_first",
    "grad_last",
    "grad_largest",
    "weight_norm",
    "update_ratio",
    "activation_mean",
    "activation_std",
    "dead_units",
    "recall_min",
    "rows_per_second",
    "memory_mb",
}


def inside(metrics: dict[str, float]) -> dict[str, float]:
    """The monitor's numbers of a report, without their prefix."""
    return {name.removeprefix(WATCHED): value for name, value in metrics.items() if name.startswith(WATCHED)}


@pytest.mark.parametrize("engine", ["plain", "stacked"])
@pytest.mark.parametrize("model", [{}, {"family": "cnn", "channels": 3, "hidden": 8}])
def test_looking_changes_nothing(digits: Dataset, make_trial: Any, drive: Any, engine: str, model: dict[str, Any]) -> None:
    """With and without the monitor the course is the same, bit for bit; without it none of its numbers is there."""
    data = cut(digits, 150, 61)

    def course(on: bool) -> Any:
        trial = make_trial(model={"dropout": 0.2, **model}, training={"engine": engine, "batch_size": 4, "monitor": on})
        return drive(train([trial], data, device="cpu"))

    watched, unwatched = course(True), course(False)
    assert all(inside(report.metrics).keys() == NAMES for report in watched)
    assert not any(inside(report.metrics) for report in unwatched)
    for report in watched:
        assert all(math.isfinite(value) for value in report.metrics.values())
        for name in [name for name in report.metrics if name.startswith(WATCHED)]:
            del report.metrics[name]  # type: ignore[attr-defined]
    assert curve(watched) == curve(unwatched)


def test_short_epochs_are_looked_into_less_often() -> None:
    """The first always; then so that a look comes once in 32 steps at most."""
    assert [epoch for epoch in range(1, 13) if monitor.due(epoch, 100)] == list(range(1, 13))
    assert [epoch for epoch in range(1, 13) if monitor.due(epoch, 32)] == list(range(1, 13))
    assert [epoch for epoch in range(1, 13) if monitor.due(epoch, 11)] == [1, 3, 6, 9, 12]
    assert [epoch for epoch in range(1, 70) if monitor.due(epoch, 1)] == [1, 32, 64]


def test_a_refilled_lane_is_looked_into_at_its_own_epochs(digits: Dataset, make_trial: Any, drive: Any) -> None:
    """Lanes of one stack may be in different epochs; each has the numbers of its own."""
    from sweeper.trial import Refill
    from tests.core.driving import of, script

    data = cut(digits, 150, 61)
    training = {"engine": "stacked", "batch_size": 12, "epochs": 4}
    first, second, third = (make_trial(n, seed=n, training=training) for n in range(3))
    rounds = script(train([first, second], data, device="cpu"), {0: Refill(third)})
    assert [bool(inside(report.metrics)) for report in of(1, rounds)] == [True, False, True, False]
    assert [bool(inside(report.metrics)) for report in of(2, rounds)] == [True, False, True, False]


def test_gradients_are_those_before_clipping() -> None:
    """Mean absolute value by tensor, of each lane; what clipping has made of them is undone by the norms."""
    first, last = torch.tensor([[[1.0, -3.0]], [[0.0, 0.0]]]), torch.tensor([[[0.5], [0.5]], [[0.0], [0.0]]])
    found = monitor.gradients([first, last], torch.tensor([6.0, 0.0]), torch.tensor([3.0, 0.0]))
    assert found["grad_first"].tolist() == [4.0, 0.0]
    assert found["grad_last"].tolist() == [1.0, 0.0]
    assert found["grad_largest"].tolist() == [4.0, 0.0]
    assert monitor.gradients([], torch.ones(1), torch.ones(1)) == {}


def test_the_largest_norm_leaves_skipped_steps_out() -> None:
    """Steps that fp16 skipped are NaN; an infinite norm is told as it is."""
    found = monitor.norms(torch.tensor([[1.0, math.nan, 3.0], [math.inf, 1.0, 1.0]]))
    assert found["grad_norm_max"].tolist() == [3.0, math.inf]


def test_an_update_is_measured_against_the_weights() -> None:
    """By lane."""
    found = monitor.weights(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[3.0, 4.5], [1.0, 0.0]]))
    assert found["weight_norm"].tolist() == pytest.approx([math.hypot(3, 4.5), 1.0])
    assert found["update_ratio"].tolist() == pytest.approx([0.5 / math.hypot(3, 4.5), 0.0])


@pytest.mark.parametrize(("shape", "axis"), [((2, 5, 4), 2), ((2, 5, 3, 4), 3), ((2, 5, 4, 3, 3), 2)])
def test_a_unit_is_dead_if_it_is_0_for_every_row(shape: tuple[int, ...], axis: int) -> None:
    """Units, features of time steps, or channels; in the first lane one of four is dead, in the second two are."""
    layer = torch.ones(shape)
    units = layer.movedim(axis, 1)
    units[0, 0] = units[1, :2] = 0.0
    units[0, 1, 1:] = 0.0
    found = monitor.activations([layer])
    assert found["dead_units"].tolist() == [0.25, 0.5]
    assert found["activation_mean"][1] == pytest.approx(0.5)
    assert found["activation_std"][1] == pytest.approx(0.5)


def test_the_weakest_class_is_that_of_the_smallest_recall() -> None:
    """Of classes that occur; a model that never says 1 has found none of them."""
    outputs = torch.eye(4)[torch.tensor([[0, 0, 0, 2], [0, 1, 1, 2]])]
    assert monitor.weakest_class(outputs, torch.tensor([0, 1, 1, 2]))["recall_min"].tolist() == [0.0, 1.0]


def test_embeddings_are_not_watched() -> None:
    """A batch touches few rows of them, so the mean of their gradient says nothing; biases and norms are vectors."""
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2), nn.LayerNorm(2), nn.ReLU(), nn.Linear(2, 1, bias=False))
    assert monitor.watched(model) == ["1.weight", "4.weight"]
    model[1].weight.requires_grad_(False)
    assert monitor.watched(model) == ["4.weight"]


def test_activations_are_taken_in_their_order_and_leave_no_hook(make_trial: Any) -> None:
    """One per activation module, in evaluation mode; the model is as before."""
    from sweeper.config.files import config_from_tree

    config = config_from_tree(make_trial(model={"depth": 3, "width": 7, "dropout": 0.5}).config)
    model = models.build(config.model, (4,), 2).train()
    found = monitor.activations_of(model, torch.randn(6, 4))
    assert [tuple(one.shape) for one in found] == [(1, 6, 7)] * 3
    assert all((one >= 0).all() for one in found)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())
    assert monitor.activations([]) == {}


def test_speed_is_rows_per_second_and_only_told_where_looked(digits: Dataset) -> None:
    """An epoch that was not looked into gets its seconds and nothing more."""
    found = {"seconds": 2.0, **monitor.machine(100, 2.0, torch.device("cpu"))}
    assert found[f"{WATCHED}rows_per_second"] == 50.0
    assert found[f"{WATCHED}memory_mb"] > 10
    assert found.keys() == CLOCK
    assert monitor.kept(found, {"val_loss": 1.0}) == {"seconds": 2.0}
    assert monitor.kept(found, {"watch_dead_units": 0.0}) == found
