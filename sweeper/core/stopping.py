"""When training is over of its own accord, and which epoch was the best."""

from __future__ import annotations

import math

from sweeper.trial import Metric


class Stopping:
    """Follows one trial's searched metric over its epochs.

    Any improvement makes an epoch the best. Patience counts epochs since the last improvement of more than ``min_delta`` over
    the last value that was such an improvement. A value that is not finite is never an improvement and never replaces anything.

    Args:
        metric: the searched metric.
        epochs: all epochs of the run.
        patience: None: never stop early.
        min_delta: what counts as an improvement for patience.

    Attributes:
        best_epoch: None until a finite value was seen.
        improved_epoch: of the last improvement that counts for patience; 0 before the first.
    """

    def __init__(self, metric: Metric, epochs: int, patience: int | None, min_delta: float) -> None:
        self._metric = metric
        self._epochs = epochs
        self._patience = patience
        self._min_delta = min_delta
        self._best = math.nan
        self._reference = math.nan
        self.improved_epoch = 0
        self.best_epoch: int | None = None

    def update(self, epoch: int, value: float) -> bool:
        """Takes the metric of a 1-based epoch; tells whether this epoch is the best so far."""
        if math.isfinite(value) and (not math.isfinite(self._reference) or self._metric.gain(value, self._reference) > self._min_delta):
            self._reference, self.improved_epoch = value, epoch
        if not self._metric.better(value, self._best):
            return False
        self._best, self.best_epoch = value, epoch
        return True

    def ended(self, epoch: int) -> str | None:
        """Why training is over after this epoch, or None."""
        if epoch >= self._epochs:
            return f"all {self._epochs} epochs"
        if self._patience is not None and epoch - self.improved_epoch >= self._patience:
            if self.improved_epoch == 0:
                return f"{self._metric} was never finite"
            return f"{self._metric} has not improved by more than {self._min_delta:g} since epoch {self.improved_epoch}"
        return None
