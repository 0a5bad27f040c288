"""Finds the best of some constant learning rates by the losses that training with each of them ended at. NumPy only: no model, no I/O.

A row of rates begins about the one that a ladder suggests, and goes on at an end for as long as the best is the last one there. All seeds
train all rates on common random numbers, so what a seed adds to every rate alike cancels out, and rates are told apart by what is left:
the interaction of seed and rate. What is suggested lies between the best and those of its neighbours that noise may have put behind it:
the lowest mean alone would jump from one to the other with the seeds. Widths and factors are rules of thumb, named as such.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.lr_range.judge import Floats, Status
from sweeper.lr_range.words import rate

RATIO = 3.0
"""From a rate to the next. Between rates a factor of two apart the differences are smaller, and the rows longer; four lost more."""

MOST = 9
"""Rates of a row."""

WITHIN = 2.0
"""Standard errors of a difference up to which a rate is as good as the best; of the suggestion, the width of the Gaussian by which the
best rate's neighbours count."""

BELOW, ABOVE = 5.0, 2.0
"""The refined bracket reaches at least so far from the suggestion: further down, since longer training wants lower rates."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a row of constant learning rates says.

    Attributes:
        status: ``ok``; ``edge_open_low`` or ``edge_open_high`` where the best is the first or the last of them; ``no_usable_region`` where
            they do not differ; ``non_finite`` where none ended with a finite loss. Of the last two there are no numbers.
        sentence: the same for people.
        suggestion: the rate with the lowest loss, drawn on log lr towards those of its neighbours that are nearly as good.
        band: (low, high), the rates around it that are as good within the noise, and itself.
        bracket: (low, high) to search within; one rate beyond the band on either side, at least a fifth to twice the suggestion.
        error: standard error of the difference of two rates' losses; None where it was not measured.
    """

    status: Status
    sentence: str
    suggestion: float | None
    band: tuple[float, float] | None
    bracket: tuple[float, float] | None
    error: float | None


def about(lr: float, below: int, above: int) -> list[float]:
    """A rate with so many below and above it, ascending, ``RATIO`` apart."""
    return [lr * RATIO**power for power in range(-below, above + 1)]


def row(lr: float, train: Callable[[Sequence[float]], Floats], below: int = 1) -> tuple[Floats, Floats]:
    """Train with a rate and its neighbours, and then beyond the end of the row at which the loss is lowest, until it is not the end.

    Args:
        lr: where to begin.
        train: takes ascending rates; gives the losses ``[S, A]`` that training with each ended at, not finite where it broke.
        below: how many rates are tried below ``lr`` at first; one is tried above it.

    Returns:
        The rates ``[A]``, ascending, ``RATIO`` apart, ``MOST`` at most; and the losses ``[S, A]``.
    """
    lrs = about(lr, below, 1)
    losses = train(lrs)
    while len(lrs) < MOST:
        best = int(np.argmin(means_of(losses)[0]))
        if best == 0:
            lrs = [lrs[0] / RATIO, *lrs]
            losses = np.concatenate([train(lrs[:1]), losses], axis=1)
        elif best == len(lrs) - 1:
            lrs = [*lrs, lrs[-1] * RATIO]
            losses = np.concatenate([losses, train(lrs[-1:])], axis=1)
        else:
            break
    return np.array(lrs), losses


def compare(lrs: Floats, losses: Floats, what: str = "loss", *, learns: bool = False) -> Comparison:
    """Compare the losses at the end of training with constant rates.

    Args:
        lrs: ``[A]``, ascending, positive; a geometric ladder of three or more.
        losses: ``[S, A]``, one row per seed; not finite where training broke.
        what: the losses are called in sentences.
        learns: that training with these rates lowers the loss is known, so it is an answer, too, that all of them are as good.

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
    best = int(np.argmin(means))
    good = means <= means[best] + WITHIN * error
    if np.array_equal(good, finite) and not learns:
        sentence = f"the {what} is the same at every rate that did not break, within the noise: more steps or seeds would tell them apart"
        return Comparison(Status.NO_USABLE_REGION, sentence, None, None, None, error)
    first = last = best
    while first > 0 and good[first - 1]:
        first -= 1
    while last < len(lrs) - 1 and good[last + 1]:
        last += 1
    lr = _between(lrs, means - means[best], best, WITHIN * error)
    band = (min(float(lrs[first]), lr), max(float(lrs[last]), lr))
    ratio = float(lrs[1] / lrs[0])
    bracket = (min(band[0] / ratio, lr / BELOW), max(band[1] * ratio, lr * ABOVE))
    status = Status.OK
    told = f"{what} {means[best]:.3g} at lr {rate(float(lrs[best]))}, the best of {len(lrs)} rates"
    told += f"; from {rate(band[0])} to {rate(band[1])} it is as good within the noise" if first < last else "; no other is as good"
    if best == 0:
        status, told = Status.EDGE_OPEN_LOW, f"{told}; it is the lowest one that was tried, lower ones may be better still"
    elif best == len(lrs) - 1:
        status, told = Status.EDGE_OPEN_HIGH, f"{told}; it is the highest one that was tried, higher ones may be better still"
    return Comparison(status, told, lr, band, bracket, error)


def _between(lrs: Floats, behind: Floats, best: int, width: float) -> float:
    """The mean of the best rate and its two neighbours on log lr, each weighed by how far it is ``behind``; an end of the row is itself."""
    if width <= 0 or best in {0, len(lrs) - 1}:
        return float(lrs[best])
    near = slice(best - 1, best + 2)
    weights = np.exp(-((behind[near] / width) ** 2) / 2)
    return float(np.exp(np.sum(weights * np.log(lrs[near])) / np.sum(weights)))


def means_of(losses: Floats) -> tuple[Floats, float]:
    """The mean over seeds of each column of ``[S, A]``, infinite where a seed is not finite; and the error of a difference of two means."""
    kept = np.all(np.isfinite(losses), axis=0)
    return np.where(kept, np.mean(np.where(kept, losses, 0.0), axis=0), math.inf), _error(losses[:, kept])


def _error(losses: Floats) -> float:
    """Standard error of the difference between the mean of a column and the lowest one, over what seeds do not have in common.

    The lower median over columns, since the rates next to divergence scatter far more than those that matter.
    """
    seeds, rates = losses.shape
    if seeds < 2 or rates < 2:
        return 0.0
    lowest = int(np.argmin(losses.mean(axis=0)))
    rest = np.delete(losses, lowest, axis=1) - losses[:, [lowest]]
    return float(np.quantile(np.std(rest, axis=0, ddof=1), 0.5, method="lower")) / math.sqrt(seeds)
