"""Runs the range test: fresh models, a ladder of learning rates, one optimizer step per rung, several seeds.

It is the training core's loop under another schedule and has nothing of its own: the same stack, step, optimizer, precision and clipping
as a trial or a production job of this config.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from sweeper.config.schema import Config, Sgd
from sweeper.core.loop import record_losses, record_scores
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.errors import InputError
from sweeper.lr_range import probe as stage
from sweeper.lr_range.judge import Status, judge
from sweeper.lr_range.ladder import HIGH, LOW, SEEDS, STEPS, ladder_problems, word_of
from sweeper.lr_range.probe import Measure
from sweeper.lr_range.result import Looks, LrRangeResult, Scale
from sweeper.lr_range.trials import trials_of
from sweeper.trial import Scalar

LONGER = 300
"""Steps of a second ladder, where nobody asked for a number and the first shows nothing: some networks, transformers and those with
sigmoids among them, begin on a plateau that they do not leave within a hundred."""

LINEAR_HIGH = 30.0
"""A linear ladder ends at so many times the optimizer's default learning rate, where neither its user nor a geometric one knows better."""

LOOK_STEPS = 5
"""Steps of a linear ladder between two looks at the validation part."""


def lr_range_test(
    config: Config,
    data: Dataset | None = None,
    *,
    low: float | None = None,
    high: float | None = None,
    steps: int | None = None,
    seeds: int = SEEDS,
    scale: Scale | str = Scale.LOG,
    probe: Measure | str | None = None,
    probe_steps: int = stage.STEPS,
    settings: Mapping[str, Scalar] | None = None,
    device: str = "auto",
) -> LrRangeResult:
    """Train ``seeds`` fresh models of this config for ``steps`` steps on a ladder of learning rates from ``low`` to ``high``.

    Args:
        config: whose model, optimizer, batch size and precision are tested; its own learning rate and schedule do not matter.
        data: prepared, of which only the training part is used (a probe of ``val_loss`` and a linear ladder also look at the validation
            part); None: prepared from ``config.data``.
        low: the first learning rate; None: 1e-7, of a linear ladder ``high / steps``.
        high: the last one; None: 10, of a linear ladder the upper end of the bracket that a geometric one finds first.
        steps: optimizer steps; also the horizon of the answer. None: 100, and another 300 where those show nothing, since a model may
            need longer than that to leave the plateau that it begins on.
        seeds: how many models; their training seeds count up from ``training.seed``.
        scale: ``log``, which tries many orders of magnitude; or ``linear``, for a closer look at one, with the accuracy on the validation
            part by the way.
        probe: ``train_loss`` or ``val_loss``: train with constant rates from the bracket afterwards and compare these; None: do not.
        probe_steps: with each of them, 25 or more.
        settings: what tells this test from others, for its pictures.
        device: ``auto``, ``cpu``, ``cuda``.

    Raises:
        InputError: the ladder is not one, or the config does not fit the data.
    """
    kind, measure = word_of(Scale, scale, "scale"), None if probe is None else word_of(Measure, probe, "probe")
    _check(low, high, STEPS if steps is None else steps, seeds)
    if measure is not None:
        stage.check(probe_steps)
    prepared = data if data is not None else prepare(config.data, config.task)
    if steps is None:
        test = partial(lr_range_test, config, prepared, low=low, high=high, seeds=seeds, scale=scale, probe=probe, probe_steps=probe_steps)
        found = test(steps=STEPS, settings=settings, device=device)
        if found.judgement.status is not Status.NO_USABLE_REGION:
            return found
        return _after(found, test(steps=LONGER, settings=settings, device=device))
    scout = None
    if kind is Scale.LINEAR and high is None:
        scout = lr_range_test(config, prepared, steps=steps, seeds=seeds, device=device)
        high = scout.judgement.bracket[1] if scout.judgement.bracket else LINEAR_HIGH * float(type(config.optimizer)().lr)
    high = HIGH if high is None else high
    low = low if low is not None else LOW if kind is Scale.LOG else high / steps
    _check(low, high, steps, seeds)
    lrs = np.geomspace(low, high, steps) if kind is Scale.LOG else np.linspace(low, high, steps)
    trials, peak = trials_of(config, seeds), config.optimizer.lr

    def rate(step: int) -> float:
        return float(lrs[min(step, steps - 1)]) / peak

    looks = None
    started = time.perf_counter()
    if kind is Scale.LOG:
        losses = record_losses(trials, prepared, rate, steps, device=device).astype(np.float64)
    else:
        pieces = [LOOK_STEPS] * (steps // LOOK_STEPS) + [steps % LOOK_STEPS] * (steps % LOOK_STEPS > 0)
        losses, scores = record_scores(trials, prepared, rate, pieces, device=device)
        name = "val_r2" if config.task == "regression" else "val_accuracy"
        losses, looks = losses.astype(np.float64), Looks(name, lrs[np.cumsum(pieces) - 1], scores[name])
    seconds = time.perf_counter() - started
    bounded = scout is not None and scout.judgement.status is Status.OK
    verdict = judge(lrs, losses, plain=isinstance(config.optimizer, Sgd) and config.optimizer.momentum == 0, bounded=bounded)
    probed = None
    if measure is not None and verdict.bracket is not None:
        probed = stage.probe(config, prepared, verdict.bracket, measure=measure, steps=probe_steps, device=device)
    return LrRangeResult(
        name=config.name,
        optimizer=config.optimizer.name,
        lrs=lrs,
        losses=losses,
        judgement=verdict,
        horizon=steps,
        cost_steps=int(np.sum(np.isfinite(losses))) + (scout.cost_steps if scout else 0),
        seconds=seconds + (scout.seconds if scout else 0.0),
        scale=kind,
        settings=settings or {},
        looks=looks,
        probe=probed,
    )


def _after(short: LrRangeResult, longer: LrRangeResult) -> LrRangeResult:
    """The longer test, which says what came before it and what both cost."""
    verdict = longer.judgement
    return replace(
        longer,
        judgement=replace(verdict, sentence=f"{verdict.sentence} ({short.horizon} steps had shown nothing)"),
        cost_steps=short.cost_steps + longer.cost_steps,
        seconds=short.seconds + longer.seconds,
    )


def _check(low: float | None, high: float | None, steps: int, seeds: int) -> None:
    if problems := list(ladder_problems(low, high, steps, seeds=seeds)):
        raise InputError(problems)
