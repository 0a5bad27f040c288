"""Reads a learning rate off the curves of a range test. NumPy only: no model, no I/O.

Where the loss is lowest says little: in a flat valley it is chance, and behind it the learning rate may go on rising for a decade before
anything is lost, or for no time at all. What is read is the *edge*, where most of what was gained is lost again. On a quadratic without
noise the loss is back at its start when the learning rate is 6.3 times past the limit of stability, however many steps the ladder has; a
seventh of the edge stays below that limit, and is the most that a schedule should visit. Optimizers with momentum, Adam and Lion among
them, answer late, and the ladder has gone on meanwhile: they are to be trained with half of it.

Seventh, half and the rest are heuristics, chosen on small networks and quadratics and then measured on others
(docs/lr-range-measured.md); they hold for the tested number of steps. Unlike the usual readings there is no exponential average, which
would move the curve to the right, no gradient, which would find the steepest noise, and no number where there is nothing to read.
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
"""Share of the ladder, on log lr, whose mean loss is what the test started from; at least three points, which a linear ladder needs."""

USABLE_Z = 7.0
"""The drop of the loss, in standard errors of the smoothed curve, below which it may as well be noise.

Pure noise (Gaussian, Student's t with 3 degrees of freedom, lognormal; 3 and 5 seeds; 50, 100 and 300 steps) passed it in at most
3 of 1,000 tests, in most cases never; networks on digits gave more than 200.
"""

OUTLIER = 3.0
"""Standard deviations about the running median, beyond which a seed's loss is pulled in (winsorised)."""

NEIGHBOURS = 7
"""Points of that running median."""

CLOSED_Z = 3.0
"""The rise behind the minimum, in standard errors, above which the ladder is taken to have passed the best learning rate."""

LOST = 0.6
"""The share of the drop that is lost again at the edge."""

FAR = 16.0
"""The edge is at most so many times the lr with the lowest loss: of some optimizers the loss hardly ever rises."""

MARGIN = 7.0
"""The edge over this is the limit, the most that a schedule should visit."""

LINEAR_MARGIN = 2.0
"""On a linear ladder, which seldom gets to an edge, the limit is the lr with the lowest loss over this."""

LATE = 2.0
"""The limit over this is what to train with, unless the optimizer answers at once."""

BELOW, ABOVE = 10.0, 6.0
"""How far the bracket reaches below and above the suggestion."""

RESAMPLES = 200
"""Draws of as many seeds, with repeats, from those that were trained (Efron's bootstrap); the same draws every time."""

NEAR = 2.0
"""The factor within which the suggestion of such a draw agrees with that of all seeds."""

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
        suggestion: the peak learning rate to train with: half of ``max_lr``, or ``max_lr`` itself for plain gradient descent.
        max_lr: the highest that a schedule with warm-up and decay may visit: a seventh of the edge.
        bracket: (low, high) to search within: from a tenth of the suggestion to six times of it.
        confidence: the share of draws of the seeds, with repeats, whose suggestion is within a factor of two of this one, 0 to 1. None with
            one seed, which cannot tell, and without a suggestion.
        band: (low, high) that nine of ten of these draws' suggestions lie in; None as for confidence.
        smoothed: the smoothed median over seeds, one value per step, up to where most seeds stopped being finite.
        z: the drop of the loss in standard errors; None where no drop was measured.
    """

    status: Status
    sentence: str
    suggestion: float | None
    max_lr: float | None
    bracket: tuple[float, float] | None
    confidence: float | None
    band: tuple[float, float] | None
    smoothed: tuple[float, ...]
    z: float | None


def judge(lrs: Floats, losses: Floats, *, plain: bool = False, bounded: bool = False) -> Judgement:
    """Judge one ladder trained with several seeds.

    Args:
        lrs: ``[N]``, ascending, positive; geometric, or linear as in Smith's original.
        losses: ``[S, N]``, one row per seed; the training loss *before* the step with that learning rate. May be negative; what follows a
            row's first non-finite value is ignored.
        plain: the optimizer is gradient descent without momentum, which answers at once; False is the careful choice.
        bounded: the ladder was made to end before the edge, which an earlier one has found: that the loss is still low there is no fault.

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
    losses = _until_gone(np.array([_winsorised(row) for row in losses]))
    median = np.median(losses, axis=0)
    if not len(median):
        return _nothing(Status.NON_FINITE, "the loss is not finite before the first step; look at the data and the model")
    start = max(3, int(np.sum(np.log(lrs / lrs[0]) < START * np.log(lrs[-1] / lrs[0]))))
    if _only_rises(median, start):
        return _nothing(
            Status.DIVERGED_FROM_START, f"the loss rises from the first steps on; start below lr {lrs[0]:.3g}", tuple(median.tolist())
        )
    window = max(3, round(WINDOW_PER_100 * steps / 100) | 1)
    return _read(lrs, losses, start, window, plain=plain, bounded=bounded)


def _read(lrs: Floats, losses: Floats, start: int, window: int, *, plain: bool, bounded: bool) -> Judgement:
    """Find the limit, and say whether anything was gained before it."""
    median = np.median(losses, axis=0)
    before = float(np.mean(median[:start]))
    cap = before + (before - float(np.min(median)))
    smooth = moving_average(np.minimum(median, cap), window)
    error = max(_noise(median, cap) / math.sqrt(min(window, start)), 1e-9 * float(np.ptp(np.minimum(median, cap))))
    at = int(np.argmin(smooth))
    lowest = float(smooth[at])
    z = (before - lowest) / error if error > 0 else 0.0
    curve = tuple(smooth.tolist())
    if z < USABLE_Z:
        sentence = f"no learning rate lowered the loss by more than its noise (z {z:.1f}, needed {USABLE_Z})"
        return _nothing(Status.NO_USABLE_REGION, f"{sentence}: take more steps or seeds, or the model does not learn", curve, z)
    max_lr = _limit(lrs, median, before, window)
    suggestion = max_lr if plain else max_lr / LATE
    status = Status.OK
    sentence = (
        f"the loss falls from {before:.3g} to {lowest:.3g}, lowest at lr {lrs[at]:.2g}: it suggests {suggestion:.2g}, at most "
        f"{max_lr:.2g} (rules of thumb, for runs of about {len(lrs)} steps)"
    )
    if not bounded and len(median) == len(lrs) and float(np.max(smooth[at:])) - lowest <= CLOSED_Z * error:
        status = Status.EDGE_OPEN_HIGH
        sentence = f"the loss is still low at the highest lr, {lrs[-1]:.3g}: raise the ladder's upper end; these numbers are too low"
    elif suggestion < lrs[0]:
        status = Status.EDGE_OPEN_LOW
        sentence = (
            f"the loss is lowest at lr {lrs[at]:.2g}, next to the lowest, {lrs[0]:.3g}: lower the ladder's lower end; these are guesses"
        )
    confidence, band = _agreement(lrs, losses, before, window, max_lr, suggestion)
    return Judgement(status, sentence, suggestion, max_lr, (suggestion / BELOW, suggestion * ABOVE), confidence, band, curve, z)


def _limit(lrs: Floats, median: Floats, before: float, window: int) -> float:
    """The most that a schedule should visit.

    Whatever is above the loss before the drop counts as that: how high an explosion goes must not move the average. Where most of the drop
    is never lost again, the edge is the last learning rate, or ``FAR``.
    """
    smooth = moving_average(np.minimum(median, before), window)
    at = int(np.argmin(smooth))
    if _linear(lrs):
        return float(lrs[at]) / LINEAR_MARGIN
    lost = np.flatnonzero(smooth[at:] >= smooth[at] + LOST * (before - smooth[at]))
    # The loss before a step is the work of the step before.
    edge = at + int(lost[0]) - 1 if len(lost) else len(median) - 1
    return min(float(lrs[edge]), FAR * float(lrs[at])) / MARGIN


def _linear(lrs: Floats) -> bool:
    """Whether the ladder's steps are equal rather than its factors."""
    middle = float(np.median(lrs))
    low, high = float(lrs[0]), float(lrs[-1])
    return abs(middle - (low + high) / 2) < abs(middle - math.sqrt(low * high))


def moving_average(values: Floats, window: int) -> Floats:
    """Centred mean over ``window`` (odd) points; at the ends over those that are there. No lag."""
    kernel = np.ones(min(window, 2 * len(values) - 1))
    return np.convolve(values, kernel, "same")[: len(values)] / np.convolve(np.ones_like(values), kernel, "same")[: len(values)]


def _winsorised(row: Floats) -> Floats:
    """One seed's losses with outliers pulled in, up to its first value that is not finite; infinite from there on."""
    finite = row[: int(np.argmin(np.isfinite(row))) if not np.all(np.isfinite(row)) else len(row)]
    if not len(finite):
        return np.full_like(row, np.inf)
    padded = np.pad(finite, NEIGHBOURS // 2, mode="edge")
    trend = np.median(np.lib.stride_tricks.sliding_window_view(padded, NEIGHBOURS), axis=1)
    limit = OUTLIER * _noise(finite)
    return np.concatenate([trend + np.clip(finite - trend, -limit, limit), np.full(len(row) - len(finite), np.inf)])


def _until_gone(losses: Floats) -> Floats:
    """The losses up to where most seeds are no longer finite."""
    kept = int(np.sum(2 * np.sum(np.isinf(losses), axis=0) < len(losses)))
    return losses[:, :kept]


def _agreement(
    lrs: Floats, losses: Floats, before: float, window: int, limit: float, suggestion: float
) -> tuple[float | None, tuple[float, float] | None]:
    """Confidence and band: what would be suggested if other seeds had been drawn."""
    seeds = len(losses)
    if seeds < 2:
        return None, None
    drawn = np.random.default_rng(0).integers(0, seeds, (RESAMPLES, seeds))
    limits = np.array([_limit(lrs, median, before, window) for median in np.median(losses[drawn], axis=1)])
    found = limits / limit * suggestion
    near = np.abs(np.log(found / suggestion)) <= math.log(NEAR) + 1e-9
    low, high = np.quantile(found, (0.05, 0.95), method="nearest")
    return float(np.mean(near)), (float(low), float(high))


def _only_rises(median: Floats, start: int) -> bool:
    """Whether nothing behind the start is as low as any of the first three losses."""
    return len(median) <= start or float(np.min(median[start:])) > float(np.max(median[:3]))


def _noise(losses: Floats, cap: float = math.inf) -> float:
    """Standard deviation of a point about the trend, from first differences; robust (MAD), so that the drop itself does not count.

    Steps to or from a point at the cap are left out: an explosion that lasts would be taken for silence.
    """
    under = losses < cap
    steps = np.diff(losses)[under[1:] & under[:-1]]
    return float(1.4826 * np.median(np.abs(steps - np.median(steps))) / math.sqrt(2)) if len(steps) else 0.0


def _nothing(status: Status, sentence: str, smoothed: tuple[float, ...] = (), z: float | None = None) -> Judgement:
    return Judgement(status, sentence, None, None, None, None, None, smoothed, z)
