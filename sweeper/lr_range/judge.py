"""Reads a learning rate off the curves of a range test. NumPy only: no model, no I/O.

The rules (a fifth, a half, a fortieth of the learning rate with the lowest loss) are heuristics, measured on small networks and
quadratics; they hold for the tested number of steps. Unlike the usual readings there is no exponential average, which would move
the minimum to the right, no gradient, which would find the steepest noise, and no number where there is nothing to read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

MIN_STEPS = 20
"""A curve of fewer points is not judged."""

WINDOW_PER_100 = 11
"""Points of the centred moving average per 100 steps of the ladder."""

START = 0.2
"""Share of the ladder whose mean loss is what the test started from."""

USABLE_Z = 7.0
"""The drop of the loss, in standard errors of the smoothed curve, below which it may as well be noise.

Pure noise (Gaussian, Student's t with 3 degrees of freedom, lognormal; 3 and 5 seeds; 50, 100 and 300 steps) passed it in at most
3 of 1,000 tests, in most cases never; networks on digits gave more than 200.
"""

CLOSED_Z = 3.0
"""The rise behind the minimum, in standard errors, above which the ladder is taken to have passed the best learning rate."""

Floats = NDArray[np.float64]


class Status(StrEnum):
    """Whether the curve can be read, and if not, why not."""

    OK = "ok"
    EDGE_OPEN_HIGH = "edge_open_high"
    EDGE_OPEN_LOW = "edge_open_low"
    NO_USABLE_REGION = "no_usable_region"
    DIVERGED_FROM_START = "diverged_from_start"
    NON_FINITE = "non_finite"
    TOO_FEW_STEPS = "too_few_steps"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a range test says.

    Attributes:
        status: the numbers are None exactly when there is nothing to read: no usable region, diverged from the start, non-finite, too
            few steps. With an open edge they are given, and the sentence says to move the ladder.
        sentence: the same for people.
        suggestion: the peak learning rate to train with; a fifth of the one with the lowest loss.
        max_lr: the highest that a schedule with warm-up and decay may visit; half of it.
        bracket: (low, high) to search within; from a fortieth to twice of it.
        smoothed: the smoothed median over seeds, one value per step, up to where most seeds stopped being finite.
        z: the drop of the loss in standard errors; None where no drop was measured.
    """

    status: Status
    sentence: str
    suggestion: float | None
    max_lr: float | None
    bracket: tuple[float, float] | None
    smoothed: tuple[float, ...]
    z: float | None


def judge(lrs: Floats, losses: Floats) -> Judgement:
    """Judge one ladder trained with several seeds.

    Args:
        lrs: ``[N]``, ascending, positive; a geometric ladder.
        losses: ``[S, N]``, one row per seed; the training loss *before* the step with that learning rate. May be negative; what follows a
            row's first non-finite value is ignored.

    Raises:
        ValueError: the arrays do not fit together, or ``lrs`` is not an ascending ladder of positive numbers.
    """
    lrs, losses = np.asarray(lrs, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if losses.ndim != 2 or lrs.shape != losses.shape[1:] or not losses.size:
        raise ValueError(f"one row of losses per seed, one column per learning rate: got {losses.shape} and {lrs.shape}")
    if lrs[0] <= 0 or not np.all(np.diff(lrs) > 0):
        raise ValueError("the learning rates must be positive and ascend")
    steps = len(lrs)
    if steps < MIN_STEPS:
        return _nothing(Status.TOO_FEW_STEPS, f"{steps} steps are too few to read a curve from; take at least {MIN_STEPS}, better 100")
    median = _median(losses)
    if not len(median):
        return _nothing(Status.NON_FINITE, "the loss is not finite before the first step; look at the data and the model")
    start = max(3, round(START * steps))
    if _only_rises(median, start):
        return _nothing(
            Status.DIVERGED_FROM_START, f"the loss rises from the first steps on; start below lr {lrs[0]:.3g}", tuple(median.tolist())
        )
    window = max(3, round(WINDOW_PER_100 * steps / 100) | 1)
    return _read(lrs, median, start, window)


def _read(lrs: Floats, median: Floats, start: int, window: int) -> Judgement:
    """Find the minimum of the smoothed curve, and say whether it means anything."""
    before = float(np.mean(median[:start]))
    cap = before + (before - float(np.min(median)))
    capped = np.minimum(median, cap)
    smooth = moving_average(capped, window)
    error = max(_noise(median, cap) / math.sqrt(window), 1e-9 * float(np.ptp(capped)))
    at = int(np.argmin(smooth))
    lowest = float(smooth[at])
    z = (before - lowest) / error if error > 0 else 0.0
    curve = tuple(smooth.tolist())
    if z < USABLE_Z:
        sentence = f"no learning rate lowered the loss by more than its noise (z {z:.1f}, needed {USABLE_Z})"
        return _nothing(Status.NO_USABLE_REGION, f"{sentence}: take more steps or seeds, or the model does not learn", curve, z)
    best = float(lrs[at])
    status = Status.OK
    sentence = (
        f"the loss falls from {before:.3g} to {lowest:.3g}, lowest at lr {best:.2g}; train with {best / 5:.2g}, "
        f"a fifth of it (a rule of thumb, for runs of about {len(lrs)} steps)"
    )
    if len(median) == len(lrs) and float(np.max(smooth[at:])) - lowest <= CLOSED_Z * error:
        status = Status.EDGE_OPEN_HIGH
        sentence = f"the loss is still low at the highest lr, {lrs[-1]:.3g}: raise the ladder's upper end; these numbers are too low"
    elif best / 5 < lrs[0]:
        status = Status.EDGE_OPEN_LOW
        sentence = f"the loss is lowest at lr {best:.2g}, next to the lowest, {lrs[0]:.3g}: lower the ladder's lower end; these are guesses"
    return Judgement(status, sentence, best / 5, best / 2, (best / 40, best * 2), curve, z)


def moving_average(values: Floats, window: int) -> Floats:
    """Centred mean over ``window`` (odd) points; at the ends over those that are there. No lag."""
    kernel = np.ones(min(window, 2 * len(values) - 1))
    return np.convolve(values, kernel, "same")[: len(values)] / np.convolve(np.ones_like(values), kernel, "same")[: len(values)]


def _median(losses: Floats) -> Floats:
    """The median over seeds, up to where most of them are no longer finite; a seed that is not counts as infinitely bad."""
    gone = np.logical_or.accumulate(~np.isfinite(losses), axis=1)
    kept = int(np.sum(2 * np.sum(gone, axis=0) < len(losses)))
    return np.median(np.where(gone, np.inf, losses)[:, :kept], axis=0)


def _only_rises(median: Floats, start: int) -> bool:
    """Whether nothing behind the start is as low as any of the first three losses."""
    return len(median) <= start or float(np.min(median[start:])) > float(np.max(median[:3]))


def _noise(median: Floats, cap: float) -> float:
    """Standard deviation of a point about the trend, from first differences; robust (MAD), so that the drop itself does not count.

    Steps to or from a point at the cap are left out: an explosion that lasts would be taken for silence.
    """
    under = median < cap
    steps = np.diff(median)[under[1:] & under[:-1]]
    return float(1.4826 * np.median(np.abs(steps - np.median(steps))) / math.sqrt(2)) if len(steps) else 0.0


def _nothing(status: Status, sentence: str, smoothed: tuple[float, ...] = (), z: float | None = None) -> Judgement:
    return Judgement(status, sentence, None, None, None, smoothed, z)
