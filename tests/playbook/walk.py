"""Trains what the rows of the tables say, and makes the runs of it that MLflow would get."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from sweeper.config.files import config_from_tree, tree_of
from sweeper.config.space import Space
from sweeper.core.batches import Resident
from sweeper.core.loop import run
from sweeper.core.stack.choose import alone
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.ledger.records import SweepRecord, SweepState, TrialRecord
from sweeper.tracking.child import child_picture
from sweeper.tracking.parent import parent_picture
from sweeper.tracking.picture import Picture
from sweeper.trial import Metric, Outcome, Report, Trial
from tests.core.driving import cut, script
from tests.playbook.table import ROOT

BASE: dict[str, Any] = {
    "name": "playbook",
    "model": {"family": "mlp", "width": 16, "dropout": 0.1},
    "training": {"epochs": 3, "batch_size": 32, "patience": None, "engine": "plain"},
}
TRAIN, VAL = 160, 60
"""So many rows of a part at most are trained on, and judged by."""
NEAR = 1e-4
"""Sums of several processes differ by less, relative; what a technique changes is more."""


@dataclass
class Walk:
    """Trains the rows' configs, each once, on the few rows of their data."""

    folder: Path
    _data: dict[str, Dataset] = field(default_factory=dict)
    _held: dict[str, Resident] = field(default_factory=dict)
    _told: dict[tuple[str, ...], list[Report]] = field(default_factory=dict)

    def data(self, settings: tuple[str, ...]) -> Dataset:
        """Few rows of what these settings name, and all that was found out about it."""
        found = tree(settings)
        key = data_key(found)
        if key not in self._data:
            # With the base's own model, for the data is prepared the same whatever is trained on it.
            config = config_from_tree({**BASE, **{name: found[name] for name in ("data", "task") if name in found}})
            whole = prepare(config.data, config.task, source=str(self.folder / "space.yaml"))
            few = len(whole.train) <= TRAIN and len(whole.val) <= VAL
            self._data[key] = whole if few else cut(whole, min(TRAIN, len(whole.train)), min(VAL, len(whole.val)))
        return self._data[key]

    def resident(self, settings: tuple[str, ...]) -> Resident:
        """The same as the core holds it."""
        key = data_key(tree(settings))
        if key not in self._held:
            self._held[key] = Resident.of(self.data(settings), torch.device("cpu"))
        return self._held[key]

    def trial(self, settings: tuple[str, ...]) -> Trial:
        """The trial of these settings, complete."""
        config = config_from_tree(tree(settings))
        return Trial(0, config.training.seed or 0, {}, tree_of(config), "playbook")

    def reports(self, settings: tuple[str, ...]) -> list[Report]:
        """Of a short training."""
        if settings not in self._told:
            trial, data = self.trial(settings), self.resident(settings)
            rounds = script(run([trial], data, alone(trial, data), None))
            self._told[settings] = [report for reports in rounds for report in reports]
        return self._told[settings]

    def curve(self, settings: tuple[str, ...]) -> list[tuple[float, ...]]:
        """Losses, gradient norm and learning rate by epoch."""
        names = ("train_loss", "val_loss", "grad_norm", "lr")
        return [tuple(report.metrics[name] for name in names) for report in self.reports(settings)]

    def picture(self, settings: tuple[str, ...]) -> Picture:
        """The run that MLflow's writer makes of the trial."""
        trial, told = self.trial(settings), self.reports(settings)
        sweep = self._sweep(settings)
        best = min(told, key=lambda report: report.metrics["val_loss"])
        reached = best.metrics["val_loss"], best.epoch, len(told)
        record = TrialRecord(trial, Outcome.COMPLETE, told[-1].ended, *reached, 1.0, 0.0, 9.0, 1, 0.0, told[0].how)
        return child_picture(sweep, record, told, "parent")

    def tags_of_the_sweep(self, settings: tuple[str, ...]) -> Mapping[str, str]:
        """Of the run that MLflow's writer makes of a sweep whose space says the same."""
        return parent_picture(self._sweep(settings), Space.parse(yaml.safe_dump(tree(settings)), "playbook"), []).tags

    def _sweep(self, settings: tuple[str, ...]) -> SweepRecord:
        facts = {"data": self.data(settings).summary}
        return SweepRecord("walk", "", "", Metric.VAL_LOSS, 1, SweepState.COMPLETE, 1, None, 0.0, 9.0, facts)


def data_key(found: Mapping[str, Any]) -> str:
    """The same for configs of the same data."""
    return json.dumps([found.get("data", {}), found.get("task")])


def alike(one: list[tuple[float, ...]], other: list[tuple[float, ...]]) -> bool:
    """Whether two curves are the same but for rounding."""
    return len(one) == len(other) and np.allclose(one, other, rtol=NEAR, atol=0, equal_nan=True)


def tree(settings: tuple[str, ...]) -> dict[str, Any]:
    """The base config with these settings."""
    found: dict[str, Any] = {part: dict(values) if isinstance(values, dict) else values for part, values in BASE.items()}
    for path, value in pairs(settings):
        *parents, last = path.split(".")
        node = found
        for parent in parents:
            node = node.setdefault(parent, {})
        if last in ("family", "name"):
            node.clear()  # what belongs to another member of the family
        node[last] = value
    return found


def pairs(settings: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; a folder is meant from the top of the tree."""
    for setting in settings:
        (path, value), *_ = yaml.safe_load("{" + setting + "}").items()
        yield path, str(ROOT / value) if path == "model.folder" else value
