"""The nouns that every room shares: frozen, free of torch, Ray, Optuna and MLflow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

Scalar: TypeAlias = bool | int | float | str | None
"""A sampled value."""

Tree: TypeAlias = Mapping[str, Any]
"""A resolved config as plain JSON-like data: it crosses processes and is validated at its use."""


class Direction(StrEnum):
    """Whether a smaller or a larger value of a metric is better."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


class Metric(StrEnum):
    """The validation metrics that may be searched; the direction follows from the metric."""

    VAL_LOSS = "val_loss"
    VAL_ACCURACY = "val_accuracy"
    VAL_F1_MACRO = "val_f1_macro"
    VAL_AUROC = "val_auroc"
    VAL_MAE = "val_mae"
    VAL_RMSE = "val_rmse"
    VAL_R2 = "val_r2"

    @property
    def direction(self) -> Direction:
        """Losses and errors are minimized, scores are maximized."""
        lower = {Metric.VAL_LOSS, Metric.VAL_MAE, Metric.VAL_RMSE}
        return Direction.MINIMIZE if self in lower else Direction.MAXIMIZE

    def better(self, value: float, than: float) -> bool:
        """Whether ``value`` is finite and strictly better than ``than`` (a non-finite ``than`` always loses)."""
        if not math.isfinite(value):
            return False
        if not math.isfinite(than):
            return True
        return value < than if self.direction is Direction.MINIMIZE else value > than

    def gain(self, value: float, over: float) -> float:
        """By how much ``value`` improves on ``over``; positive is better, whatever the direction."""
        return over - value if self.direction is Direction.MINIMIZE else value - over


# Of multilabel too: accuracy is the mean over the labels there, F1 and AUROC are per label.
CLASSIFICATION_METRICS = (Metric.VAL_LOSS, Metric.VAL_ACCURACY, Metric.VAL_F1_MACRO, Metric.VAL_AUROC)
REGRESSION_METRICS = (Metric.VAL_LOSS, Metric.VAL_MAE, Metric.VAL_RMSE, Metric.VAL_R2)


class Outcome(StrEnum):
    """How a trial ended. A trial without an outcome is open."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Trial:
    """One config with one seed.

    Attributes:
        number: 0-based position in the sweep.
        seed: fixes initialisation, data order and dropout of this trial; also ``config["training"]["seed"]``.
        values: what was sampled, by parameter name (``model.width``, ``optimizer``, ``optimizer.adamw.lr``).
        config: the complete resolved config.
        shape: signature of everything that fixes tensor sizes or program structure; equal shapes may share a stack.
        block: which shape draw of the sweep (``r`` in ``f(seed, r, j)``).
        sibling: which scalar draw under that shape (``j``).
    """

    number: int
    seed: int
    values: Mapping[str, Scalar]
    config: Tree
    shape: str
    block: int = 0
    sibling: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What one evaluation of one trial found.

    Attributes:
        trial: the trial's number.
        epoch: 1-based, epochs finished so far.
        metrics: ``train_loss``, ``val_loss``, ``lr``, ``grad_norm``, ``seconds`` (of this epoch) and the task's scores.
        at: unix time in seconds.
        ended: why training is over of its own accord ("all 30 epochs", "no improvement since epoch 9"); else None.
        how: only in the first report of an attempt: how the trial is trained, after the engine's name and a colon ("stacked: up to 8
            lanes, 2.6 times the speed of one (measured on cpu)", "plain: the config says so"); else None.
    """

    trial: int
    epoch: int
    metrics: Mapping[str, float]
    at: float
    ended: str | None = None
    how: str | None = None

    def finite(self) -> bool:
        """Whether training and validation loss and every validation score are finite numbers."""
        judged = (v for k, v in self.metrics.items() if k == "train_loss" or k.startswith("val_"))
        return all(math.isfinite(value) for value in judged)


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on; the sentence says why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The trial is over with this outcome; the sentence says why."""

    outcome: Outcome
    sentence: str


@dataclass(frozen=True, slots=True)
class Refill:
    """Put this trial into the lane in place of the one that was there."""

    trial: Trial


Verdict: TypeAlias = Continue | Stop
Command: TypeAlias = Continue | Stop | Refill


def first_stops(reports: Sequence[Report], verdicts: Sequence[Verdict]) -> dict[int, tuple[Report, Stop]]:
    """The first Stop of each trial that gets one, with its report, by the trial's number: of several reports that one counts."""
    found: dict[int, tuple[Report, Stop]] = {}
    for report, verdict in zip(reports, verdicts, strict=True):
        if isinstance(verdict, Stop):
            found.setdefault(report.trial, (report, verdict))
    return found


@dataclass(frozen=True, slots=True)
class Lease:
    """Open trials of one shape, handed to one worker.

    Attributes:
        trials: at most as many as the worker asked for.
        most: how many trials of the shape may come to be trained side by side, as far as the order of the sweep is known.
        tokens: fencing number of each trial's attempt, in the order of ``trials``.
        ask_at: epochs at which the worker must wait for verdicts; reports of other epochs ride along.
    """

    trials: tuple[Trial, ...]
    tokens: tuple[int, ...]
    ask_at: frozenset[int]
    most: int


@dataclass(frozen=True, slots=True)
class RangeTest:
    """A learning-rate range test that is wanted before trials of a shape can be drawn: an order to a worker.

    Attributes:
        digest: of all that its result depends on in the config, but for the data; equal tests need to be made only once.
        config: what to test: the default config with the shape's values.
        seeds: models that climb the ladder side by side.
        shape: what tells it from the sweep's other tests, in words.
    """

    digest: str
    config: Tree
    seeds: int
    shape: str


TEST_FAILED = "failed"
"""The status of a range test that raised."""


@dataclass(frozen=True, slots=True)
class RangeFinding:
    """What a range test found, free of arrays.

    Attributes:
        status: of the judgement (``ok``, ``no_usable_region``, ...), or ``TEST_FAILED`` when the model's code raised.
        sentence: the same for people.
        suggestion: a learning rate to train with; None where there is nothing to read, as is ``bracket``.
        bracket: low and high to search between.
        cost_steps: optimizer steps over all seeds.
        seconds: wall time.
        result: all of it, as in ``result.json``; empty when the test failed.
    """

    status: str
    sentence: str
    suggestion: float | None = None
    bracket: tuple[float, float] | None = None
    cost_steps: int = 0
    seconds: float = 0.0
    result: Tree = field(default_factory=dict)
