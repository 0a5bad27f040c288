"""What a search found, and when: the same record for every arm, kept as JSON."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from sweeper.trial import Outcome

MARGIN = 0.01
"""A value is as good as another when it is worse by at most this share of it."""


@dataclass
class Trace:
    """One search by one arm; seconds count from the first training step.

    Attributes:
        startup: seconds from the arm's start to its first training step.
        seconds: until the search was over, or stopped because it had reached its target.
        improvements: (seconds, val_loss) of every report that beat all before it, whatever became of its trial.
        complete: the same of trials that ended complete, at their end and with their best value.
        best: the best val_loss of each trial that reported, by number.
        outcomes: how the trials ended, counted.
        epochs: trained.
        ended: ``budget`` (all trials are done), ``reached`` (a complete trial is as good as the target) or ``time`` (the limit ran out).
    """

    task: str
    seed: int
    arm: str
    startup: float = 0.0
    seconds: float = 0.0
    improvements: list[tuple[float, float]] = field(default_factory=list)
    complete: list[tuple[float, float]] = field(default_factory=list)
    best: dict[int, float] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    epochs: int = 0
    ended: str = "budget"

    @property
    def trials(self) -> int:
        """Trials that ended."""
        return sum(self.outcomes.values())

    def target(self) -> float:
        """What another search must find to be as good as this one."""
        best = min(self.best.values())
        return best + MARGIN * abs(best)

    def reached(self, target: float) -> float | None:
        """When the first report was at least as good as the target; None: never."""
        return _first(self.improvements, target)

    def completed(self, target: float) -> float | None:
        """When the first trial that good had ended complete; None: never."""
        return _first(self.complete, target)

    def best_of(self, trials: int) -> float:
        """The best val_loss of the trials with the lowest numbers."""
        return min(value for number, value in self.best.items() if number < trials)

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)))
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """What ``save`` wrote."""
        tree = json.loads(path.read_text())
        tree["best"] = {int(number): value for number, value in tree["best"].items()}
        return cls(**tree)


class Recorder:
    """Fills a trace from reports as they arrive, from several threads, until the search is over.

    Args:
        trace: what is filled.
        target: ``done`` is set when a trial that good is complete; None: never.
        limit: so many trials are wanted; ``done`` is set when as many have ended.
    """

    def __init__(self, trace: Trace, target: float | None, limit: int) -> None:
        self.trace = trace
        self.done = threading.Event()
        self._target = -math.inf if target is None else target
        self._limit = limit
        self._zero = 0.0
        self._lock = threading.Lock()

    def begin(self, at: float) -> None:
        """The first training step is at this unix time."""
        self._zero = at

    def report(self, at: float, trial: int, value: float) -> None:
        """A trial's val_loss after another epoch, at this unix time."""
        trace, seconds = self.trace, at - self._zero
        with self._lock:
            if self.done.is_set():
                return
            trace.epochs += 1
            if math.isfinite(value):
                trace.best[trial] = min(value, trace.best.get(trial, math.inf))
                _improve(trace.improvements, seconds, value)

    def end(self, at: float, trial: int, outcome: Outcome) -> None:
        """A trial ended at this unix time."""
        trace, seconds = self.trace, at - self._zero
        with self._lock:
            if self.done.is_set():
                return
            trace.outcomes[outcome] = trace.outcomes.get(outcome, 0) + 1
            trace.seconds = max(trace.seconds, seconds)
            if outcome is Outcome.COMPLETE:
                _improve(trace.complete, seconds, trace.best[trial])
                if trace.best[trial] <= self._target:
                    trace.ended = "reached"
                    self.done.set()
            if trace.trials >= self._limit:
                self.done.set()


def _improve(values: list[tuple[float, float]], seconds: float, value: float) -> None:
    if not values or value < values[-1][1]:
        values.append((seconds, value))


def _first(values: list[tuple[float, float]], target: float) -> float | None:
    return next((seconds for seconds, value in values if value <= target), None)
