"""One trial's way through training, seen from outside the step: reports, best epoch, end and checkpoint."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

import torch

from sweeper.config.schema import ReduceOnPlateau
from sweeper.core import checkpoint, resume
from sweeper.core.batches import Resident
from sweeper.core.checkpoint import Checkpoint
from sweeper.core.plateau import Plateau
from sweeper.core.resume import Unfinished
from sweeper.core.stack.lane import Lane
from sweeper.core.stopping import Stopping
from sweeper.trial import Report

SAVE_SECONDS = 30.0
"""An unfinished trial is saved this often, so that a killed worker loses no more of it."""

SAVE_SHARE = 0.05
"""At most this share of the time goes into saving; a model that takes long to write is saved less often."""


class Course:
    """One trial's way through training: its reports, its best epoch, when it is over, and what of it lies on disk.

    Where an earlier attempt was interrupted, it goes on from what that one saved, bit for bit.

    Args:
        lane: the trial in its stack, fresh.
        data: what it is trained on.
        checkpoints: parent of the trial's folders; None: nothing is written.
        engine: that trains it.
        how: it is trained, for the first report.

    Attributes:
        past: reports of the interrupted attempt, which are told again before training goes on.
        over: whether training has ended of its own accord.
    """

    def __init__(self, lane: Lane, data: Resident, checkpoints: Path | None, engine: str, how: str) -> None:
        self._lane = lane
        self._data = data
        self._engine = engine
        self._how: str | None = how
        self._folder = checkpoints and checkpoints / str(lane.trial.number)
        self._unfinished = checkpoints and resume.folder_of(checkpoints, lane.trial)
        training = lane.config.training
        self._stopping = Stopping(lane.config.search.metric, training.epochs, training.patience, training.min_delta)
        schedule = lane.config.schedule
        self._plateau = Plateau(schedule) if isinstance(schedule, ReduceOnPlateau) else None
        self._best: dict[str, torch.Tensor] = {}
        self._reports: list[Report] = []
        self._saved_at = time.monotonic()
        self._save_seconds = 0.0
        self._committed: int | None = None
        self.past: deque[Report] = deque()
        self.over = False
        self._take_up()

    def report(self, metrics: dict[str, float]) -> Report:
        """Takes the metrics of the epoch just done; the best epoch is on disk before a report says that training is over."""
        epoch = self._lane.epoch
        report = Report(self._lane.trial.number, epoch, metrics, time.time(), how=self._how)
        self._how = None
        self._reports.append(report)
        if self._improves(report):
            self._keep()
        ended = self._stopping.ended(epoch)
        self.over = ended is not None
        if self.over:
            self.commit()
        elif time.monotonic() - self._saved_at > max(SAVE_SECONDS, self._save_seconds / SAVE_SHARE):
            self._save()
        return replace(report, at=time.time(), ended=ended)

    def commit(self) -> None:
        """Writes the best epoch, if there is one; what was saved on the way is not needed any more."""
        best = self._stopping.best_epoch
        if self._folder is None or self._unfinished is None:
            return
        if best is not None and best != self._committed:
            self._committed = best
            shape, outputs = self._data.input_shape, self._data.outputs
            metrics = self._reports[best - 1].metrics
            checkpoint.save(self._folder, Checkpoint(self._best, self._lane.trial.config, best, metrics, shape, outputs))
        checkpoint.remove(self._unfinished)

    def discard(self) -> None:
        """Removes what there is of a trial that did not complete."""
        for folder in (self._folder, self._unfinished):
            if folder is not None:
                checkpoint.remove(folder)

    def _improves(self, report: Report) -> bool:
        """Takes a report's value, also one that is told again; tells whether it is the best so far."""
        # A score of a broken model, such as the accuracy of NaN logits, is a number and means nothing.
        value = report.metrics[self._lane.config.search.metric] if report.finite() else math.nan
        best = self._stopping.update(report.epoch, value)
        if self._plateau is not None:
            self._plateau.update(report.epoch, self._stopping.improved_epoch)
            self._lane.level = self._plateau.level
        return best

    def _keep(self) -> None:
        state = self._lane.state()
        if self._best:
            for name, tensor in state.items():
                self._best[name].copy_(tensor)
        else:
            self._best = {name: tensor.clone() for name, tensor in state.items()}

    def _save(self) -> None:
        if self._unfinished is None:
            return
        began = time.monotonic()
        resume.save(self._unfinished, self._lane.trial, self._engine, Unfinished(self._reports, self._lane.memory(), self._best))
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - began

    def _take_up(self) -> None:
        found = None if self._unfinished is None else resume.load(self._unfinished, self._lane.trial, self._engine)
        if found is None:
            return
        self._lane.recall(found.memory, len(found.reports))
        for report in found.reports:
            self._improves(report)
        self._best = {name: found.best[name].to(tensor.device) for name, tensor in self._lane.state().items() if name in found.best}
        self._reports = list(found.reports)
        first, *others = found.reports
        self.past = deque([replace(first, how=f"{self._how}; taken up after epoch {len(found.reports)}"), *others])
        self._how = None
