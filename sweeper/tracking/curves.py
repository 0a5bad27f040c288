"""What figures, leaderboard and pictures share: a trial's curve, its best epoch, the colours of outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from sweeper.trial import Metric, Outcome

Curve: TypeAlias = dict[int, float]
"""Epoch to value."""

COLOURS: Mapping[Outcome | None, str] = {
    Outcome.COMPLETE: "#4c78a8",
    Outcome.PRUNED: "#bab0ac",
    Outcome.DIVERGED: "#e0a030",
    Outcome.FAILED: "#c85a54",
    Outcome.CANCELLED: "#9d7660",
    None: "#72b7b2",
}
BEST_COLOUR = "#d1495b"


def best_epoch(curve: Curve, metric: Metric) -> int:
    """The first epoch with the best value; the curve must not be empty."""
    return min(curve, key=lambda epoch: (-metric.gain(curve[epoch], over=0.0), epoch))


def best_value(curve: Curve, metric: Metric) -> float:
    """The value at the best epoch; the curve must not be empty."""
    return curve[best_epoch(curve, metric)]
