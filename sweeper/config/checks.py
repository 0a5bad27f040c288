"""What must hold between keys that are each allowed by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sweeper.config import nearest
from sweeper.config.schema import SOURCE_SUFFIXES, SOURCES, Config, Sgd
from sweeper.config.strict_yaml import KeyPath
from sweeper.trial import CLASSIFICATION_METRICS, REGRESSION_METRICS


@dataclass(frozen=True)
class Conflict:
    """Keys that do not go together.

    Attributes:
        path: the key to change.
        found: what stands there, and with what it does not go.
        allowed: what may stand there.
        hint: how to write it.
        others: the other keys that are involved.
    """

    path: KeyPath
    found: str
    allowed: str
    hint: str
    others: tuple[KeyPath, ...] = ()


def conflicts(config: Config) -> Iterator[Conflict]:
    """Every conflict within one config."""
    yield from _data(config)
    yield from _task(config)
    optimizer = config.optimizer
    if isinstance(optimizer, Sgd) and optimizer.nesterov and optimizer.momentum == 0:
        hint = "write momentum: 0.9, or nesterov: false"
        yield Conflict(("optimizer", "momentum"), "momentum 0 with nesterov: true", "momentum above 0", hint, (("optimizer", "nesterov"),))


def _data(config: Config) -> Iterator[Conflict]:
    data = config.data
    if data.source not in SOURCES and not data.source.lower().endswith(SOURCE_SUFFIXES):
        allowed = f"{', '.join(SOURCES)}, or a file ending in {', '.join(SOURCE_SUFFIXES)}"
        hint = nearest.hint(data.source, SOURCES) or f"write source: {SOURCES[0]}"
        yield Conflict(("data", "source"), f'unknown data "{data.source}"', allowed, hint)
    if data.val_fraction + data.test_fraction >= 1:
        found = f"val_fraction {data.val_fraction} and test_fraction {data.test_fraction} leave nothing to train on"
        yield Conflict(("data", "val_fraction"), found, "a sum below 1", "write val_fraction: 0.2", (("data", "test_fraction"),))
    by = data.split.by
    if by in ("group", "time") and data.split.column is None:
        hint = f"write split: {{by: {by}, column: ...}}"
        yield Conflict(("data", "split", "by"), f"a split by {by} without a column", f"the name of the {by} column", hint)


def _task(config: Config) -> Iterator[Conflict]:
    metrics = REGRESSION_METRICS if config.task == "regression" else CLASSIFICATION_METRICS
    task = (("task",),)
    if config.search.metric not in metrics:
        found, hint = f"{config.search.metric} does not fit the task {config.task}", f"write metric: {metrics[0]}"
        yield Conflict(("search", "metric"), found, ", ".join(metrics), hint, task)
    if config.task == "regression" and config.training.label_smoothing > 0:
        found = f"label_smoothing {config.training.label_smoothing} with the task regression"
        yield Conflict(("training", "label_smoothing"), found, "0: there are no labels", "write label_smoothing: 0.0", task)
