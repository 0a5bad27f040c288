"""Drops on a plateau."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from sweeper.config.schema import ReduceOnPlateau
from sweeper.core.plateau import Plateau
from sweeper.core.stopping import Stopping
from sweeper.trial import Direction, Metric


def levels(values: list[float], config: ReduceOnPlateau, metric: Metric = Metric.VAL_LOSS, min_delta: float = 0.01) -> list[float]:
    """The level after each epoch."""
    stopping, plateau, found = Stopping(metric, len(values), None, min_delta), Plateau(config), []
    for epoch, value in enumerate(values, 1):
        stopping.update(epoch, value)
        plateau.update(epoch, stopping.improved_epoch)
        found.append(plateau.level)
    return found


def torchs(values: list[float], config: ReduceOnPlateau, metric: Metric, min_delta: float) -> list[float]:
    """The same of torch's scheduler."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode="min" if metric.direction is Direction.MINIMIZE else "max",
        factor=config.factor,
        patience=config.patience - 1,
        threshold=min_delta,
        threshold_mode="abs",
        min_lr=config.min_fraction,
        eps=0.0,
    )
    found = []
    for value in values:
        scheduler.step(value)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_it_drops_when_patience_is_spent_and_counts_anew() -> None:
    """Patience 2: after two epochs without an improvement, and after two more; an improvement begins the count again."""
    values = [1.0, 1.0, 1.0, 1.0, 0.5, 0.6, 0.7, 0.5]
    assert levels(values, ReduceOnPlateau(patience=2)) == pytest.approx([1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01])


def test_less_than_min_delta_is_no_improvement() -> None:
    """What counts is what counts for early stopping."""
    config = ReduceOnPlateau(patience=1, factor=0.5)
    assert levels([1.0, 0.995, 0.98], config, min_delta=0.01) == [1.0, 0.5, 0.5]


def test_it_never_goes_below_its_floor() -> None:
    """The lowest learning rate is a share of the peak."""
    assert levels([1.0] * 4, ReduceOnPlateau(patience=1, min_fraction=0.05)) == [1.0, 0.1, 0.05, 0.05]


def test_a_value_that_is_not_finite_is_no_improvement() -> None:
    """Also the first."""
    assert levels([math.nan, 1.0, math.inf], ReduceOnPlateau(patience=1)) == pytest.approx([0.1, 0.1, 0.01])


@given(
    st.lists(st.floats(-2, 2), min_size=1, max_size=30),
    st.integers(1, 4),
    st.sampled_from([Metric.VAL_LOSS, Metric.VAL_ACCURACY]),
    st.sampled_from([0.0, 0.3]),
    st.sampled_from([0.0, 0.02]),
)
def test_it_drops_where_torchs_does(values: list[float], patience: int, metric: Metric, min_delta: float, floor: float) -> None:
    """Any course of a loss or a score: torch's scheduler with an absolute threshold and one epoch less of patience."""
    config = ReduceOnPlateau(patience=patience, factor=0.2, min_fraction=floor)
    assert levels(values, config, metric, min_delta) == pytest.approx(torchs(values, config, metric, min_delta))
