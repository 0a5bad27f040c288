"""The largest weight decay that still allows a high learning rate, judged by the validation loss (after Smith, 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeper.config.schema import Config
from sweeper.core.loop import record_scores
from sweeper.data.dataset import Dataset
from sweeper.lr_range import probe
from sweeper.lr_range.arms import WITHIN, means_of
from sweeper.lr_range.judge import Floats
from sweeper.lr_range.nulls import rows_of
from sweeper.lr_range.result import LrRangeResult
from sweeper.lr_range.trials import trials_of
from sweeper.lr_range.variants import Variant
from sweeper.lr_range.words import rate


@dataclass(frozen=True, eq=False)
class DecayReading:
    """What training with each weight decay at one high learning rate ended at.

    Attributes:
        subject: optimizer, and the batch size where that is varied too.
        lr: the highest that any of the decays allows by its range test.
        decays: ``[D]``, ascending.
        losses: ``[seeds, D]``, validation loss at the end; NaN where training broke.
        largest: of those whose loss is the lowest within the noise; None where all broke.
        sentence: the same for people.
    """

    subject: str
    lr: float
    decays: tuple[float, ...]
    losses: Floats
    largest: float | None
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """JSON data; losses that are not finite become null."""
        return {
            "subject": self.subject,
            "lr": self.lr,
            "weight_decays": list(self.decays),
            "val_losses": rows_of(self.losses),
            "largest": self.largest,
            "sentence": self.sentence,
        }


def readings(tested: Sequence[Variant], results: Sequence[LrRangeResult], data: Dataset, *, device: str = "auto") -> list[DecayReading]:
    """One reading for every optimizer and batch size that was tested with two weight decays or more.

    All decays are trained at the highest rate that one of them allows, for as many steps as the longest of their ladders had.

    Args:
        tested: the combinations.
        results: their range tests; those of a group without any answer give no reading.
        data: prepared.
        device: ``auto``, ``cpu``, ``cuda``.
    """
    groups: dict[str, list[tuple[Config, LrRangeResult]]] = {}
    for variant, result in zip(tested, results, strict=True):
        if "weight_decay" in variant.settings:
            others = {key: value for key, value in variant.settings.items() if key != "weight_decay"}
            groups.setdefault(Variant(variant.config, others).subject, []).append((variant.config, result))
    found = [_reading(subject, group, data, device) for subject, group in groups.items() if len(group) > 1]
    return [reading for reading in found if reading is not None]


def _reading(subject: str, group: Sequence[tuple[Config, LrRangeResult]], data: Dataset, device: str) -> DecayReading | None:
    allowed = [result.max_lr for _, result in group if result.max_lr is not None]
    if not allowed:
        return None
    lr, steps = max(allowed), max(result.horizon for _, result in group)
    configs = sorted((config for config, _ in group), key=lambda config: config.optimizer.weight_decay)
    decays = tuple(config.optimizer.weight_decay for config in configs)
    trials = [trial for config in configs for trial in trials_of(config, range(probe.SEEDS), [lr])]
    _, scores = record_scores(trials, data, lambda _step: 1.0, [steps], device=device)
    losses = scores["val_loss"].reshape(len(decays), probe.SEEDS).T
    largest = _largest(decays, losses)
    where = f"{subject}: at lr {rate(lr)}, {steps} steps, {probe.SEEDS} seeds"
    if largest is None:
        return DecayReading(subject, lr, decays, losses, None, f"{where}, the validation loss is not finite with any weight decay")
    sentence = f"{where}, weight decay up to {largest:g} costs no validation loss beyond the noise"
    if largest == decays[-1]:
        sentence += "; it is the largest that was tried"
    return DecayReading(subject, lr, decays, losses, largest, sentence)


def _largest(decays: Sequence[float], losses: Floats) -> float | None:
    means, error = means_of(losses)
    if not np.isfinite(means).any():
        return None
    good = np.flatnonzero(means <= means.min() + WITHIN * error)
    return decays[int(good[-1])]
