"""One trial's way through training, seen from outside the step: reports, best epoch, end and checkpoint."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import torch

from sweeper.core import checkpoint
from sweeper.core.batches import Resident
from sweeper.core.checkpoint import Checkpoint
from sweeper.core.stack.lane import Lane
from sweeper.core.stopping import Stopping
from sweeper.trial import Report

COMMIT_SECONDS = 30.0
"""A better epoch is committed at once when the last commit is older than this; else it waits in memory for the end."""


class Course:
    """One trial's way through training: its reports, its best epoch, when it is over, and its checkpoint.

    Args:
        lane: the trial in its stack.
        data: what it is trained on.
        checkpoints: parent of the trial's checkpoint folder; None: nothing is written.
        engine: that trains it; the checkpoint remembers it.
        how: it is trained, for the first report.
    """

    def __init__(self, lane: Lane, data: Resident, checkpoints: Path | None, engine: str, how: str) -> None:
        self._lane = lane
        self._data = data
        self._engine = engine
        self._how: str | None = how
        self._folder = checkpoints and checkpoints / str(lane.trial.number)
        training = lane.config.training
        self._stopping = Stopping(lane.config.search.metric, training.epochs, training.patience, training.min_delta)
        self._best: dict[str, torch.Tensor] = {}
        self._best_metrics: dict[str, float] = {}
        self._uncommitted = False
        self._committed_at = time.monotonic()
        self.over = False

    def report(self, metrics: dict[str, float]) -> Report:
        """Takes the metrics of the epoch just done; the best epoch is on disk before a report says that training is over."""
        epoch, metric = self._lane.epoch, self._lane.config.search.metric
        report = Report(self._lane.trial.number, epoch, metrics, time.time(), how=self._how)
        self._how = None
        # A score of a broken model, such as the accuracy of NaN logits, is a number and means nothing.
        if self._stopping.update(epoch, metrics[metric] if report.finite() else math.nan):
            self._keep(metrics)
        ended = self._stopping.ended(epoch)
        self.over = ended is not None
        if self.over or time.monotonic() - self._committed_at > COMMIT_SECONDS:
            self.commit()
        return replace(report, at=time.time(), ended=ended)

    def commit(self) -> None:
        """Writes the best epoch, if there is one that is not on disk yet."""
        if self._folder is None or not self._uncommitted:
            return
        epoch = self._stopping.best_epoch or 0
        shape, outputs = self._data.input_shape, self._data.outputs
        made = Checkpoint(self._best, self._lane.trial.config, epoch, self._best_metrics, shape, outputs, self._engine)
        checkpoint.save(self._folder, made)
        self._uncommitted = False
        self._committed_at = time.monotonic()

    def discard(self) -> None:
        """Removes the checkpoint of a trial that did not complete."""
        if self._folder is not None:
            checkpoint.remove(self._folder)

    def _keep(self, metrics: dict[str, float]) -> None:
        state = self._lane.state()
        if self._best:
            for name, tensor in state.items():
                self._best[name].copy_(tensor)
        else:
            self._best = {name: tensor.clone() for name, tensor in state.items()}
        self._best_metrics = dict(metrics)
        self._uncommitted = True
