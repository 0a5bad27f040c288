"""Learning-rate schedules: the multiplier of the peak at every optimizer step.

A schedule is a warm-up times a decay. The warm-up climbs in a straight line, and is 1 once it is over. What counts epochs by number
(``step``, ``multi_step``) counts from the beginning of training, everything else begins where the warm-up ends. ``one_cycle`` brings a
warm-up of its own.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeAlias

from sweeper.config import schema
from sweeper.config.schema import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    Step,
    WarmupCosine,
    WarmupLinear,
)
from sweeper.errors import InputError

Schedule: TypeAlias = Callable[[int], float]
"""Maps a 0-based optimizer step to the multiplier of the peak learning rate."""

WARMUP_FROM = 0.01
"""Where a warm-up starts, as a share of the peak."""


def build(config: schema.Schedule, epochs: int, steps_per_epoch: int) -> Schedule:
    """The schedule of this config.

    Args:
        config: which, with its numbers.
        epochs: the full run's, also when training is cut earlier.
        steps_per_epoch: optimizer steps.

    Raises:
        InputError: the warm-up is as long as all of training, so that the peak would never be reached.
    """
    total = epochs * steps_per_epoch
    warmup = _warmup_steps(config, epochs, steps_per_epoch)
    match config:
        case OneCycle():
            return one_cycle(warmup, config.initial_div, config.final_div, total)
        case Constant() | ReduceOnPlateau():  # what a plateau does is no function of the step: see ``plateau``
            return warmed(warmup, lambda _step: 1.0)
        case Step():
            return warmed(warmup, lambda step: config.gamma ** (step // steps_per_epoch // config.step_size))
        case MultiStep():
            return warmed(warmup, multi_step([epoch * steps_per_epoch for epoch in config.milestones], config.gamma))
        case Exponential():
            return warmed(warmup, lambda step: config.gamma ** (max(0, step - warmup) / steps_per_epoch))
        case CosineRestarts():
            return warmed(warmup, restarts(warmup, config.period * steps_per_epoch, config.multiplier, config.final_fraction))
        case Cosine() | WarmupCosine():
            return warmed(warmup, lambda step: cosine(progress(step, warmup, total), config.final_fraction))
        case WarmupLinear():
            return warmed(warmup, lambda step: 1.0 + (config.final_fraction - 1.0) * progress(step, warmup, total))


def warmed(warmup: int, decay: Schedule) -> Schedule:
    """A decay with a linear warm-up of so many steps: the first has 1/100, step ``warmup`` is the first without (Goyal et al., 2017)."""

    def at(step: int) -> float:
        climbed = WARMUP_FROM + (1.0 - WARMUP_FROM) * step / warmup if step < warmup else 1.0
        return climbed * decay(step)

    return at


def progress(step: int, begin: int, end: int) -> float:
    """From 0 up to step ``begin`` to 1 from step ``end`` on."""
    return min(1.0, max(0, step - begin) / max(1, end - begin))


def cosine(share: float, final: float) -> float:
    """Half a cosine from 1 at ``share`` 0 to ``final`` at 1 (Loshchilov & Hutter, 2017)."""
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * share))


def multi_step(milestones: Sequence[int], gamma: float) -> Schedule:
    """``gamma`` to the number of milestones, in steps and ascending, that have been reached."""
    return lambda step: gamma ** bisect_right(milestones, step)


def restarts(begin: int, length: int, multiplier: int, final: float) -> Schedule:
    """Half cosines from step ``begin`` on, the first ``length`` steps long, each ``multiplier`` times as long as the one before.

    They end at ``final``, which no step has: a restart takes its place.
    """

    def at(step: int) -> float:
        since, this = max(0, step - begin), length
        if multiplier == 1:
            since %= this
        while since >= this:
            since -= this
            this *= multiplier
        return cosine(since / this, final)

    return at


def one_cycle(warmup: int, initial_div: float, final_div: float, total: int) -> Schedule:
    """From ``1 / initial_div`` to 1 at the last of ``warmup`` steps, then to ``1 / initial_div / final_div`` at the last of all.

    That is ``torch.optim.lr_scheduler.OneCycleLR`` with ``pct_start`` rounded down to whole steps.
    """
    first, top = 1.0 / initial_div, max(0, warmup - 1)
    last = first / final_div

    def at(step: int) -> float:
        if step < top:
            return cosine(1.0 - step / top, first)
        return cosine(progress(step, top, total - 1), last)

    return at


def _warmup_steps(config: schema.Schedule, epochs: int, steps_per_epoch: int) -> int:
    total = epochs * steps_per_epoch
    if config.warmup_steps is not None:
        key, steps = "warmup_steps", config.warmup_steps
    elif config.warmup_epochs is not None:
        key, steps = "warmup_epochs", int(config.warmup_epochs * steps_per_epoch)
    else:
        key, steps = "warmup_fraction", int(config.warmup_share * total)
    if steps and steps >= total:
        raise InputError.of(
            "config",
            f"schedule.{key}",
            f"a warm-up of {steps} steps, but training has {total} ({epochs} epochs of {steps_per_epoch}): the peak is never reached",
            f"a warm-up of at most {total - 1} steps",
            "make it shorter, or train for more epochs",
        )
    return steps
