"""The second stage for a model that is handed in: from the state that it was handed in with, training with rates that do not change."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from itertools import cycle
from typing import Any

import numpy as np
from torch import nn

from sweeper.errors import InputError
from sweeper.lr_range.arms import about
from sweeper.lr_range.climb import climb
from sweeper.lr_range.ladder import SOURCE
from sweeper.lr_range.probe import SEEDS, Measure, Probe, ended_at
from sweeper.lr_range.rungs import Rungs

REACH = {Measure.TRAIN_LOSS: (2, 2), Measure.VAL_LOSS: (5, 1)}
"""Rates below and above the ladder's suggestion, a factor of three apart. On weights that were trained before, a training loss suggests
rates that are far too high. All are known beforehand: a row that goes on, as that of fresh models does, would need the batches of all
repeats at once."""


def probe(
    model: nn.Module,
    begin: Callable[[int], None],
    rungs_on: Callable[[Iterator[Any]], Rungs],
    stream: Iterator[Any],
    lr: float,
    *,
    measure: Measure,
    validation: Iterable[Any] | None,
    steps: int,
    accumulate: int,
) -> Probe:
    """Train with constant learning rates about the one that a ladder suggests, one after another, and compare where they end.

    All rates of a repeat see the same batches, which are kept in memory for that long: data may come from an iterator, and need not come
    again. A rate gets copies, since a step function may take its batch apart. Where fp16 skips a step, the first batches come again.

    Args:
        model: is set to eval mode while the validation batches are looked at.
        begin: puts everything back to where the test began, with the random numbers of this repeat.
        rungs_on: what takes steps on these batches.
        stream: endless.
        lr: what the ladder suggests.
        measure: what they are compared by.
        validation: batches for ``val_loss``.
        steps: with each rate.
        accumulate: batches per step.

    Raises:
        InputError: there is no batch to validate on, or the stream ended.
    """
    lrs = np.array(about(lr, *REACH[measure]))
    curves, ends = np.full((SEEDS, len(lrs), steps), math.nan), np.full((SEEDS, len(lrs)), math.nan)
    started = time.perf_counter()
    for repeat in range(SEEDS):
        begin(repeat)
        batches = [deepcopy(next(stream)) for _ in range(steps * accumulate)]
        for arm, constant in enumerate(lrs):
            begin(repeat)
            rungs = rungs_on(map(deepcopy, cycle(batches)))
            climb(rungs, np.full(steps, constant), curves[repeat, arm])
            if validation is not None and math.isfinite(curves[repeat, arm, -1]):
                ends[repeat, arm] = looked_at(model, rungs, validation)
        if measure is Measure.TRAIN_LOSS:
            ends[repeat] = ended_at(curves[repeat])
    cost = int(np.sum(np.isfinite(curves)))
    return Probe.of(measure, lrs, ends, horizon=steps, cost_steps=cost, seconds=time.perf_counter() - started)


def looked_at(model: nn.Module, rungs: Rungs, validation: Iterable[Any]) -> float:
    """The mean loss of these batches in eval mode, which the model is left in.

    Raises:
        InputError: there are none.
    """
    model.eval()
    loss = rungs.score(validation)
    if loss is None:
        hint = "pass the loader itself, or a list of batches: all of them are read again for every learning rate"
        raise InputError.of(SOURCE, "validation", "no batch in it", "a DataLoader, a list of batches, an iterable of them", hint)
    return loss
