"""Early stopping and the best epoch."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.core.stopping import Stopping
from sweeper.trial import Metric


def follow(values: list[float], *, metric: Metric = Metric.VAL_LOSS, epochs: int = 100, patience: int | None = 3, min_delta: float = 0.001):
    """The best epoch, and the epoch and sentence of the end, if any."""
    stopping = Stopping(metric, epochs, patience, min_delta)
    for epoch, value in enumerate(values, 1):
        stopping.update(epoch, value)
        if ended := stopping.ended(epoch):
            return stopping.best_epoch, epoch, ended
    return stopping.best_epoch, None, None


def test_training_ends_when_patience_is_spent() -> None:
    """Three epochs without an improvement after epoch 2 end it at epoch 5; the best stays epoch 2."""
    assert follow([1.0, 0.5, 0.6, 0.7, 0.8, 0.1]) == (2, 5, "val_loss has not improved by more than 0.001 since epoch 2")


def test_a_score_is_maximised() -> None:
    """For accuracy more is better."""
    assert follow([0.5, 0.9, 0.8, 0.8, 0.8], metric=Metric.VAL_ACCURACY)[:2] == (2, 5)


def test_a_tiny_improvement_is_the_best_but_does_not_renew_patience() -> None:
    """Improvements of a tenth of min_delta move the best epoch and let patience run out."""
    assert follow([1.0, 0.9999, 0.9998, 0.9997])[:2] == (4, 4)


def test_slow_steady_improvement_is_counted_from_the_last_renewal() -> None:
    """Steps of half of min_delta add up: no epoch is three away from the last renewal."""
    assert follow([1.0 - 0.0005 * k for k in range(30)])[1] is None


def test_nan_is_neither_an_improvement_nor_a_new_reference() -> None:
    """After a NaN the values are still compared with the best before it."""
    assert follow([0.5, math.nan, 0.6, 0.7])[:2] == (1, 4)
    assert follow([math.nan, 0.5, math.inf, 0.4])[:2] == (4, None)


def test_an_all_nan_run_ends() -> None:
    """Patience runs out as for any other run, and there is no best epoch."""
    assert follow([math.nan] * 10) == (None, 3, "val_loss was never finite")


@pytest.mark.parametrize("finite", [0, 1, 3])
def test_nan_does_not_overwrite_the_best_loss(finite: int) -> None:
    """A run that is NaN from some epoch on keeps the best one before and ends: a NaN best loss would compare as never worse, for ever."""
    best, end, _ = follow([1.0 - 0.1 * k for k in range(finite)] + [math.nan] * 50)
    assert (best, end) == (finite or None, finite + 3)


def test_the_last_epoch_is_the_end_and_patience_may_be_off() -> None:
    """Without patience only the number of epochs ends training."""
    assert follow([1.0] * 10, epochs=10, patience=None) == (1, 10, "all 10 epochs")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-2, 2) | st.just(math.nan), min_size=1, max_size=30))
def test_the_best_epoch_is_the_first_of_the_best_values(values: list[float]) -> None:
    """Whatever comes, the best epoch is the earliest with the smallest finite value."""
    best, _, _ = follow(values, patience=None)
    finite = [(value, epoch) for epoch, value in enumerate(values, 1) if math.isfinite(value)]
    assert best == (min(finite)[1] if finite else None)


@pytest.mark.parametrize("patience", [1, 5])
def test_patience_counts_epochs(patience: int) -> None:
    """A flat run ends exactly that many epochs after the first."""
    assert follow([1.0] * 50, patience=patience)[1] == 1 + patience
