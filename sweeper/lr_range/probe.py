"""The range test's second stage: fresh models, each trained with a learning rate of its own that does not change.

A ladder says where training lowers the loss fastest while the rate rises through it; a probe says where training with one rate ends. Where
a ladder shows nothing, it looks all the way up for a rate with which something is learnt. All rates and seeds are lanes of one stack.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.config.schema import Config
from sweeper.core.loop import record_losses, record_scores
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from sweeper.lr_range.arms import Comparison, compare, row
from sweeper.lr_range.judge import Floats, Status
from sweeper.lr_range.nulls import array_of, row_of, rows_of
from sweeper.lr_range.scan import Scan, judged, scanned
from sweeper.lr_range.trials import trials_of

SEEDS = 3
LEAST_STEPS = 25
"""Fewer mislead: after ten steps the best rate is one that is too high for any longer training."""

TAIL = 0.25
"""Share of the steps at the end whose mean training loss is what a rate ended at."""


class Measure(StrEnum):
    """What the learning rates are compared by."""

    TRAIN_LOSS = "train_loss"
    VAL_LOSS = "val_loss"

    @property
    def words(self) -> str:
        """For sentences and axes."""
        return "training loss" if self is Measure.TRAIN_LOSS else "validation loss"


BELOW = {Measure.TRAIN_LOSS: 1, Measure.VAL_LOSS: 5}
"""Rates that are tried below the ladder's suggestion at first. On weights that were trained before, a training loss suggests rates that are
far too high, so the validation loss is looked at from a 243rd of it on."""


@dataclass(frozen=True, eq=False)
class Probe:
    """What a probe found and what it cost.

    Attributes:
        measure: what was compared.
        lrs: ``[arms]``, the constant rates, in the units of ``optimizer.lr``.
        losses: ``[seeds, arms]``, what training with each ended at: the mean training loss of the last quarter of the steps, or the loss on
            the validation part after the last one; NaN where it broke.
        verdict: what they say.
        horizon: for how many steps each was trained.
        cost_steps: optimizer steps taken over all of them.
        seconds: wall time.
        scan: what was trained with before and beside these rates, where no ladder said where to begin.
    """

    measure: Measure
    lrs: Floats
    losses: Floats
    verdict: Comparison
    horizon: int
    cost_steps: int
    seconds: float
    scan: Scan | None = None

    @classmethod
    def of(cls, measure: Measure, lrs: Floats, losses: Floats, *, horizon: int, cost_steps: int, seconds: float) -> Probe:
        """The comparison of these rates."""
        return cls(measure, lrs, losses, compare(lrs, losses, measure.words), horizon, cost_steps, seconds)

    def as_dict(self) -> dict[str, Any]:
        """JSON data; losses that are not finite become null."""
        verdict = self.verdict
        return {
            "measure": self.measure.value,
            "status": verdict.status.value,
            "sentence": verdict.sentence,
            "suggestion": verdict.suggestion,
            "band": verdict.band and list(verdict.band),
            "bracket": verdict.bracket and list(verdict.bracket),
            "error": verdict.error,
            "horizon": self.horizon,
            "cost_steps": self.cost_steps,
            "seconds": self.seconds,
            "lrs": self.lrs.tolist(),
            "losses": rows_of(self.losses),
            "scan": self.scan and {"lrs": self.scan.lrs.tolist(), "losses": rows_of(self.scan.losses), "still": row_of(self.scan.still)},
        }

    @classmethod
    def from_dict(cls, tree: dict[str, Any]) -> Probe:
        """Take what ``as_dict`` gave.

        Raises:
            ValueError, KeyError, TypeError, IndexError: it is something else.
        """
        band, bracket, scan = tree["band"], tree["bracket"], tree.get("scan")
        return cls(
            measure=Measure(tree["measure"]),
            lrs=np.array(tree["lrs"], dtype=np.float64),
            losses=array_of(tree["losses"]),
            verdict=Comparison(
                status=Status(tree["status"]),
                sentence=tree["sentence"],
                suggestion=tree["suggestion"],
                band=None if band is None else (band[0], band[1]),
                bracket=None if bracket is None else (bracket[0], bracket[1]),
                error=tree["error"],
            ),
            horizon=tree["horizon"],
            cost_steps=tree["cost_steps"],
            seconds=tree["seconds"],
            scan=scan and Scan(np.array(scan["lrs"], dtype=np.float64), array_of(scan["losses"]), array_of([scan["still"]])[0]),
        )


def probe(
    config: Config,
    data: Dataset,
    lr: float,
    *,
    measure: Measure = Measure.TRAIN_LOSS,
    steps: int,
    seeds: int = SEEDS,
    device: str = "auto",
) -> Probe:
    """Train fresh models of this config with constant learning rates about the one that a range test suggests, and compare where they end.

    Args:
        config: whose model, optimizer, batch size and precision are tested; its own learning rate and schedule do not matter.
        data: prepared.
        lr: where to begin; ``sweeper.lr_range.arms.row`` says how the others follow.
        measure: what they are compared by.
        steps: with each, ``LEAST_STEPS`` or more; also the horizon of the answer.
        seeds: how many models for each rate.
        device: ``auto``, ``cpu``, ``cuda``.

    Raises:
        InputError: too few steps or seeds, or the config does not fit the data.
    """
    check(steps, seeds)
    started = time.perf_counter()
    arms = _Arms(config, data, measure, steps, device)
    lrs, losses = row(lr, lambda asked: arms.train(asked, range(seeds)), BELOW[measure])
    return Probe.of(measure, lrs, losses, horizon=steps, cost_steps=arms.taken, seconds=time.perf_counter() - started)


def probe_all(
    config: Config, data: Dataset, low: float, high: float, *, measure: Measure = Measure.TRAIN_LOSS, steps: int, device: str = "auto"
) -> Probe:
    """Look for a constant learning rate between two with which more is learnt than without training, where a range test showed none.

    Args:
        config: whose model, optimizer, batch size and precision are tested; its own learning rate and schedule do not matter.
        data: prepared.
        low: the lowest rate to try.
        high: the highest; ``sweeper.lr_range.scan`` says which are tried between and about the best of them.
        measure: what they are compared by.
        steps: with each, ``LEAST_STEPS`` or more; also the horizon of the answer.
        device: ``auto``, ``cpu``, ``cuda``.

    Raises:
        InputError: too few steps, or the config does not fit the data.
    """
    check(steps)
    started = time.perf_counter()
    arms = _Arms(config, data, measure, steps, device)
    scan, lrs, losses = scanned(low, high, arms.train, BELOW[measure])
    verdict = judged(lrs, losses, scan.still, measure.words)
    return Probe(measure, lrs, losses, verdict, steps, arms.taken, time.perf_counter() - started, scan)


@dataclass
class _Arms:
    """Trains with constant rates and counts the steps; the attributes are arguments of ``probe``."""

    config: Config
    data: Dataset
    measure: Measure
    steps: int
    device: str
    taken: int = 0

    def train(self, lrs: Sequence[float], seeds: range) -> Floats:
        """What training with each rate ended at, ``[seeds, rates]``."""
        trials = trials_of(self.config, seeds, lrs)
        if self.measure is Measure.VAL_LOSS:
            curves, scores = record_scores(trials, self.data, _constant, [self.steps], device=self.device)
            ends = scores["val_loss"][:, 0]
        else:
            curves = record_losses(trials, self.data, _constant, self.steps, device=self.device)
            ends = ended_at(curves)
        self.taken += int(np.sum(np.isfinite(curves)))
        return ends.reshape(len(lrs), len(seeds)).T


def ended_at(curves: NDArray[np.floating]) -> Floats:
    """``[...]``, the mean training loss of the last quarter of the steps of ``[..., steps]``; NaN of a curve that did not get there."""
    tails = curves[..., -max(1, round(TAIL * curves.shape[-1])) :].astype(np.float64)
    return np.asarray(tails.mean(axis=-1))


def _constant(_step: int) -> float:
    return 1.0


def length_of(wanted: int | None, ladder: int) -> int:
    """Steps with each rate: what is wanted, or as many as the ladder has."""
    return max(ladder, LEAST_STEPS) if wanted is None else wanted


def check(steps: int, seeds: int = SEEDS) -> None:
    """Whether a probe can be made of these numbers.

    Raises:
        InputError: it cannot.
    """
    if steps < LEAST_STEPS:
        hint = "after ten steps or so the best rate is one that is too high for any longer training"
        raise InputError.of("learning-rate probe", "steps", str(steps), f"{LEAST_STEPS} or more", hint)
    if seeds < 1:
        raise InputError.of("learning-rate probe", "seeds", str(seeds), "1 or more")
