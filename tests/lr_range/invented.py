"""Results of range tests that nobody ran."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sweeper.lr_range.judge import judge
from sweeper.lr_range.probe import Measure, Probe
from sweeper.lr_range.result import Looks, LrRangeResult, Scale

LRS = np.geomspace(1e-7, 10, 100)


def result(kind: str) -> LrRangeResult:
    """One with an answer, one of noise, one without anything finite, one that breaks, one of a linear ladder, one with a probe."""
    noise = 0.03 * np.random.default_rng(0).normal(size=(3, 100))
    lrs = np.linspace(1e-3, 1e-1, 100) if kind == "linear" else LRS
    decades = np.log10(lrs / 1e-2)
    valley = 2 / (1 + np.exp(4 * (decades + 0.7))) + 0.05 * np.exp(np.clip(4 * (decades - 0.3), None, 20)) + noise
    breaking = np.where(np.arange(100) < 75, valley, np.nan)
    losses = {"noise": 2.3 + noise, "nothing": np.full((3, 100), np.nan), "breaking": breaking}.get(kind, valley)
    found = LrRangeResult("mlp", "adamw", lrs, losses, judge(lrs, losses), 100, 300, 1.5)
    if kind == "linear":
        looks = Looks("val_accuracy", lrs[4::5], np.clip(1 - losses[:, 4::5] / 3, 0, 1))
        return replace(found, scale=Scale.LINEAR, looks=looks)
    return replace(found, probe=probe()) if kind == "probed" else found


def probe(measure: Measure = Measure.TRAIN_LOSS) -> Probe:
    """A valley around 3e-3, of which the highest rate broke for one seed."""
    lrs = np.geomspace(2.5e-4, 2e-2, 13)
    losses = (np.log10(lrs / 3e-3) ** 2) + 0.3 + 0.01 * np.random.default_rng(1).normal(size=(3, 13))
    losses[1, -1] = np.nan
    return Probe.of(measure, lrs, losses, horizon=50, cost_steps=1900, seconds=0.4)
