"""Optuna alone: TPE and its own asynchronous successive halving, ``n_jobs=2``, one trial at a time on the same core.

Arranged in its favour: each of the two threads trains in a process of its own that is ready when the clock starts, so that they do not
share an interpreter lock; the storage is in memory; the rungs are those of sweeper's default, after the warm-up; a trial's final value is
its best.
"""

from __future__ import annotations

import queue
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna

from benchmarks.quality.tasks import space_and_data
from benchmarks.quality.trace import Recorder, Trace
from benchmarks.quality.workers import WORKERS, Workers, trial_of
from sweeper.config.distributions import Auto
from sweeper.config.space import Leaf, Space
from sweeper.search.tpe import suggest
from sweeper.trial import Command, Continue, Outcome, Report, Scalar, Stop

if TYPE_CHECKING:
    from sweeper.ports import Train

GRACE, REDUCTION = 4, 3
"""The first rung, which is the first epoch after the warm-up, and the share that goes on at each: 1/3."""


def run(trace: Trace, settings: Sequence[str], target: float | None) -> None:
    """Optimize until every trial has ended, or one that reaches the target is complete; the arguments are those of the sweeper arm."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    started = time.time()
    space, data = space_and_data([*settings, "training.engine=plain"])
    search = space.base.search
    recorder = Recorder(trace, target, search.trials)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=search.seed),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=GRACE, reduction_factor=REDUCTION),
    )
    with (
        tempfile.TemporaryDirectory(prefix="search-quality-") as name,
        Workers(space, data, Path(name), trials) as workers,
    ):
        zero = workers.go()
        recorder.begin(zero)
        trace.startup = zero - started
        objective = Objective(space, workers.pipes, recorder)
        objective = Objective(space, workers.pipes, recorder)
        study.optimize(objective, n_trials=search.trials, n_jobs=WORKERS, callbacks=[objective.after])


def suggested(trial: optuna.Trial, leaf: Leaf) -> Scalar:
    """What Optuna takes for a leaf; none of these spaces has a learning rate that is ``auto``."""
    assert not isinstance(leaf.distribution, Auto)  # noqa: S101 - Optuna has no word for it
    return suggest(trial, leaf.name, leaf.distribution)


class Objective:
    """What Optuna calls in its threads: the next free process trains the trial.

    Args:
        space: gives the distributions and resolves the config.
        pipes: to the processes.
        recorder: of what they report.
    """

    def __init__(self, space: Space, pipes: Sequence[Connection], recorder: Recorder) -> None:
        self._space = space
        self._recorder = recorder
        self._free: queue.Queue[Connection] = queue.Queue()
        for pipe in pipes:
            self._free.put(pipe)

    def __call__(self, trial: optuna.Trial) -> float:
        """The best val_loss of the trial."""
        seed = int(np.random.default_rng([self._space.base.search.seed, trial.number]).integers(2**62))
        resolved = self._space.resolve(partial(suggested, trial), seed=seed)
        pipe = self._free.get()
        try:
            pipe.send(trial_of(trial.number, resolved))
            outcome, best, at = self._train(trial, pipe)
        finally:
            self._free.put(pipe)
        self._recorder.end(at, trial.number, outcome)
        if outcome is not Outcome.COMPLETE:
            raise optuna.TrialPruned
        return best

    def after(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:  # noqa: ARG002 - the signature of a callback
        """No further trial once the search is over."""
        if self._recorder.done.is_set():
            study.stop()

    def _train(self, trial: optuna.Trial, pipe: Connection) -> tuple[Outcome, float, float]:
        best = float("inf")
        while True:
            report: Report = pipe.recv()
            value = report.metrics["val_loss"]
            self._recorder.report(report.at, trial.number, value)
            best = min(best, value)
            outcome = None
            if self._recorder.done.is_set():
                outcome = Outcome.CANCELLED
            elif not report.finite():
                outcome = Outcome.DIVERGED
            else:
                trial.report(value, report.epoch)
                if report.ended is not None:
                    outcome = Outcome.COMPLETE
                elif trial.should_prune():
                    outcome = Outcome.PRUNED
            pipe.send(Continue("") if outcome is None else Stop(outcome, ""))
            if outcome is not None:
                return outcome, best, report.at


def trials(pipe: Connection, name: str, train: Train) -> None:  # noqa: ARG001 - the signature of a job
    """The job of a process: one trial after another, a report for each epoch and a command in return."""
    while True:
        steps = train([pipe.recv()])
        reports = next(steps)
        while True:
            pipe.send(reports[0])
            command: Command = pipe.recv()
            try:
                reports = steps.send([command])
            except StopIteration:
                break
