"""Reads the best of some constant learning rates off the losses that training with each of them ended at. NumPy only: no model, no I/O.

All seeds train all rates on common random numbers, so what a seed adds to every rate alike cancels out, and rates are told apart by what
is left: the interaction of seed and rate. Widths and factors are rules of thumb, named as such.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sweeper.lr_range.judge import Floats, Status
from sweeper.lr_range.words import rate

WITHIN = 2.0
"""Standard errors of a difference up to which a rate is as good as the best."""

DIFFERENT = 7.0
"""Standard errors between the best and the worst rate below which all may as well be equal: of pure noise (13 rates, 3 seeds) 95% of 1,000
draws stayed below 3.9, 99.9% below 6.8."""

BELOW, ABOVE = 5.0, 2.0
"""The refined bracket reaches at least so far from the suggestion: further down, since longer training wants lower rates."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a row of constant learning rates says.

    Attributes:
        status: ``ok``; ``edge_open_low`` or ``edge_open_high`` where the best is the first or the last of them; ``no_usable_region`` where
            they do not differ; ``non_finite`` where none ended with a finite loss. Of the last two there are no numbers.
        sentence: the same for people.
        suggestion: the rate with the lowest smoothed loss.
        band: (low, high), the rates around it that are as good within the noise.
        bracket: (low, high) to search within; one rate beyond the band on either side, at least a fifth to twice the suggestion.
        error: standard error of the difference of two rates' losses; None where it was not measured.
    """

    status: Status
    sentence: str
    suggestion: float | None
    band: tuple[float, float] | None
    bracket: tuple[float, float] | None
    error: float | None


def compare(lrs: Floats, losses: Floats, what: str = "loss") -> Comparison:
    """Compare the losses at the end of training with constant rates.

    Args:
        lrs: ``[A]``, ascending, positive; a geometric ladder of three or more.
        losses: ``[S, A]``, one row per seed; not finite where training broke.
        what: the losses are called in sentences.

    Raises:
        ValueError: the arrays do not fit together.
    """
    lrs, losses = np.asarray(lrs, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if losses.ndim != 2 or lrs.shape != losses.shape[1:] or len(lrs) < 3 or not len(losses):
        raise ValueError(f"one row of losses per seed, one column per learning rate: got {losses.shape} and {lrs.shape}")
    means, error = means_of(losses)
    finite = np.isfinite(means)
    if not finite.any():
        return Comparison(Status.NON_FINITE, f"no learning rate ended with a finite {what}", None, None, None, None)
    best = int(np.argmin(_smoothed(means)))
    good = means <= means[best] + WITHIN * error
    if np.ptp(means[finite]) <= DIFFERENT * error:
        sentence = f"the {what} is the same at every rate that did not break, within the noise: more steps or seeds would tell them apart"
        return Comparison(Status.NO_USABLE_REGION, sentence, None, None, None, error)
    first = last = best
    while first > 0 and good[first - 1]:
        first -= 1
    while last < len(lrs) - 1 and good[last + 1]:
        last += 1
    lr = float(lrs[best])
    band = (float(lrs[first]), float(lrs[last]))
    ratio = float(lrs[1] / lrs[0])
    bracket = (min(band[0] / ratio, lr / BELOW), max(band[1] * ratio, lr * ABOVE))
    status = Status.OK
    told = f"{what} {means[best]:.3g} at lr {rate(lr)}, the best of {len(lrs)} rates"
    told += f"; from {rate(band[0])} to {rate(band[1])} it is as good within the noise" if first < last else "; no other is as good"
    if best == 0:
        status, told = Status.EDGE_OPEN_LOW, f"{told}; it is the lowest one that was tried, lower ones may be better still"
    elif best == len(lrs) - 1:
        status, told = Status.EDGE_OPEN_HIGH, f"{told}; it is the highest one that was tried, higher ones may be better still"
    return Comparison(status, told, lr, band, bracket, error)


def means_of(losses: Floats) -> tuple[Floats, float]:
    """The mean over seeds of each column of ``[S, A]``, infinite where a seed is not finite; and the error of a difference of two means."""
    kept = np.all(np.isfinite(losses), axis=0)
    return np.where(kept, np.mean(np.where(kept, losses, 0.0), axis=0), math.inf), _error(losses[:, kept])


def _smoothed(means: Floats) -> Floats:
    """Each mean and half of its neighbours', as far as they are finite; what is not finite stays so."""
    padded = np.concatenate([[math.inf], means, [math.inf]])
    weights = np.stack([np.where(np.isfinite(part), weight, 0.0) for part, weight in _neighbours(padded)])
    values = np.stack([np.where(np.isfinite(part), part, 0.0) for part, _ in _neighbours(padded)])
    smooth = np.sum(weights * values, axis=0) / np.maximum(np.sum(weights, axis=0), 1e-300)
    return np.where(np.isfinite(means), smooth, math.inf)


def _neighbours(padded: Floats) -> list[tuple[Floats, float]]:
    return [(padded[:-2], 0.5), (padded[1:-1], 1.0), (padded[2:], 0.5)]


def _error(losses: Floats) -> float:
    """Standard error of the difference of two columns' means: what is left when the effects of rows and columns are taken out.

    By the median, since the rates next to divergence scatter far more than those that matter.
    """
    seeds, rates = losses.shape
    if seeds < 2 or rates < 2:
        return 0.0
    rest = losses - losses.mean(axis=0) - losses.mean(axis=1, keepdims=True) + losses.mean()
    freed = math.sqrt(seeds * rates / ((seeds - 1) * (rates - 1)))
    return float(1.4826 * np.median(np.abs(rest)) * freed * math.sqrt(2 / seeds))
