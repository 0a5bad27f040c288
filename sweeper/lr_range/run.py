"""Runs the range test: fresh models, a ladder of learning rates, one optimizer step per rung, several seeds.

It is the training core's loop under another schedule and has nothing of its own: the same stack, step, optimizer, precision and clipping
as a trial or a production job of this config.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sweeper.config.schema import Config, Sgd
from sweeper.core.loop import record_losses, record_scores
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.errors import InputError
from sweeper.lr_range import probe as stage
from sweeper.lr_range.judge import Floats, Status, judge
from sweeper.lr_range.ladder import HIGH, LOW, SEEDS, SOURCE, STEPS, ladder_problems, word_of
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
    probe: Measure | str | None = Measure.TRAIN_LOSS,
    probe_steps: int | None = None,
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
        probe: ``train_loss`` or ``val_loss``: what is compared when constant rates about the ladder's suggestion are trained with
            afterwards, or all the way up where the ladder shows nothing; None: the ladder's answer is taken as it is.
        probe_steps: with each of them, 25 or more; None: as many as the ladder has.
        settings: what tells this test from others, for its pictures.
        device: ``auto``, ``cpu``, ``cuda``.

    Raises:
        InputError: the ladder is not one, or the config does not fit the data.
    """
    kind, measure = word_of(Scale, scale, "scale"), None if probe is None else word_of(Measure, probe, "probe")
    _check(low, high, STEPS if steps is None else steps, seeds)
    if probe_steps is not None:
        if measure is None:
            raise InputError.of(SOURCE, "probe_steps", f"{probe_steps}, and there is no probe", "None without a probe")
        stage.check(probe_steps)
    prepared = data if data is not None else prepare(config.data, config.task)
    ladder = _Ladder(config, prepared, low, high, seeds, kind, device)
    found = ladder.climb(STEPS if steps is None else steps)
    if steps is None and found.judgement.status is Status.NO_USABLE_REGION:
        found = _after(found, ladder.climb(LONGER))
    probed = None if measure is None else _probe(config, prepared, found, measure, probe_steps, device)
    return replace(found, probe=probed, settings=settings or {})


def _probe(config: Config, data: Dataset, found: LrRangeResult, measure: Measure, steps: int | None, device: str) -> stage.Probe | None:
    """The second stage: about the ladder's suggestion; all the way up to where it diverged, if it shows nothing; else there is none."""
    verdict, length = found.judgement, stage.length_of(steps, found.horizon)
    if verdict.suggestion is not None:
        return stage.probe(config, data, verdict.suggestion, measure=measure, steps=length, device=device)
    if verdict.status is not Status.NO_USABLE_REGION:
        return None
    low, high = float(found.lrs[0]), float(found.lrs[len(verdict.smoothed) - 1])
    return stage.probe_all(config, data, low, high, measure=measure, steps=length, device=device)


@dataclass(frozen=True)
class _Ladder:
    """The first stage, of any number of steps; the attributes are arguments of ``lr_range_test``."""

    config: Config
    data: Dataset
    low: float | None
    high: float | None
    seeds: int
    kind: Scale
    device: str

    def climb(self, steps: int) -> LrRangeResult:
        """Train and judge."""
        config, scout, high = self.config, None, self.high
        if self.kind is Scale.LINEAR and high is None:
            scout = replace(self, kind=Scale.LOG, low=None).climb(steps)
            high = scout.judgement.bracket[1] if scout.judgement.bracket else LINEAR_HIGH * float(type(config.optimizer)().lr)
        high = HIGH if high is None else high
        low = self.low if self.low is not None else LOW if self.kind is Scale.LOG else high / steps
        _check(low, high, steps, self.seeds)
        lrs = np.geomspace(low, high, steps) if self.kind is Scale.LOG else np.linspace(low, high, steps)
        started = time.perf_counter()
        losses, looks = self._train(lrs)
        seconds = time.perf_counter() - started
        plain = isinstance(config.optimizer, Sgd) and config.optimizer.momentum == 0
        bounded = scout is not None and scout.judgement.status is Status.OK
        return LrRangeResult(
            name=config.name,
            optimizer=config.optimizer.name,
            lrs=lrs,
            losses=losses,
            judgement=judge(lrs, losses, plain=plain, bounded=bounded),
            horizon=steps,
            cost_steps=int(np.sum(np.isfinite(losses))) + (scout.cost_steps if scout else 0),
            seconds=seconds + (scout.seconds if scout else 0.0),
            scale=self.kind,
            looks=looks,
        )

    def _train(self, lrs: Floats) -> tuple[Floats, Looks | None]:
        """The losses of a step at each rate ``[seeds, steps]``, and what was seen of the validation part on a linear ladder."""
        steps, trials, peak = len(lrs), trials_of(self.config, range(self.seeds)), self.config.optimizer.lr

        def rate(step: int) -> float:
            return float(lrs[min(step, steps - 1)]) / peak

        if self.kind is Scale.LOG:
            return record_losses(trials, self.data, rate, steps, device=self.device).astype(np.float64), None
        pieces = [LOOK_STEPS] * (steps // LOOK_STEPS) + [steps % LOOK_STEPS] * (steps % LOOK_STEPS > 0)
        losses, scores = record_scores(trials, self.data, rate, pieces, device=self.device)
        name = "val_r2" if self.config.task == "regression" else "val_accuracy"
        return losses.astype(np.float64), Looks(name, lrs[np.cumsum(pieces) - 1], scores[name])


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
