"""Looks for a learning rate where no ladder showed one, by constant rates all the way up. NumPy only: no model, no I/O.

A ladder passes each rate once, so a slow or noisy fall drowns in the scatter of its batches. Training with one rate and *not at all*, from
the same first weights on the same rows, differ by nothing but what was learnt. So a coarse row of rates is trained with, then the usual
row about the best of them with other seeds, and the best of that is an answer if it ends lower than no training does by Student's paired
test, at a level that is shared out among as many rates as a row may have. The coarse row only says where to look: its seeds are not those
of the test, and its own chance cannot pass it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sweeper.lr_range.arms import Comparison, compare, means_of, row
from sweeper.lr_range.judge import Floats, Status

SPACING = 9.0
"""From a coarse rate to the next: a row about one of them, three times closer, meets that about the next."""

COARSE_SEEDS = 3
SEEDS = 6
"""Of the row that is tested."""

STILL = 1e-12
"""A rate at which nothing is learnt."""

SURE = 6.7
"""What Student's t with ``SEEDS - 1`` degrees of freedom exceeds in at most one of 200 cases among ``MOST`` rates (Bonferroni)."""

Train = Callable[[Sequence[float], range], Floats]
"""Trains with ascending rates and the seeds of these numbers; gives the losses ``[seeds, rates]`` at the end, not finite where it broke."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What was trained with before and beside a row of rates.

    Attributes:
        lrs: ``[rates]``, the coarse row, ascending.
        losses: ``[seeds, rates]``, what training with each of those ended at; NaN where it broke.
        still: ``[seeds of the row]``, the loss without training.
    """

    lrs: Floats
    losses: Floats
    still: Floats


def coarse(low: float, high: float) -> list[float]:
    """Rates from ``high`` down to ``low``, ascending, ``SPACING`` apart; at least one."""
    steps = math.floor(math.log(high / low) / math.log(SPACING) + 1e-9)
    return [high / SPACING**step for step in range(steps, -1, -1)]


def scanned(low: float, high: float, train: Train, below: int = 1) -> tuple[Scan, Floats, Floats]:
    """Train with the coarse row, with the row about its best rate, and with none.

    Args:
        low: the lowest rate that makes sense.
        high: the highest.
        train: of which seeds 0 to 2 are asked for the coarse row, the six after them for the other and for no training.
        below: rates of the second row below its first at first, as of ``arms.row``.

    Returns:
        What was trained with beside the second row; and that, rates ``[A]`` and losses ``[SEEDS, A]``.
    """
    rates, fresh = coarse(low, high), range(COARSE_SEEDS, COARSE_SEEDS + SEEDS)
    losses = train(rates, range(COARSE_SEEDS))
    best = rates[int(np.argmin(means_of(losses)[0]))]
    still = train([STILL], fresh)[:, 0]
    lrs, found = row(best, lambda asked: train(asked, fresh), below)
    return Scan(np.array(rates), losses, still), lrs, found


def judged(lrs: Floats, losses: Floats, still: Floats, what: str) -> Comparison:
    """Compare the rates of a row with each other, if the best of them is better than no training.

    Args:
        lrs: ``[A]``, ascending, three or more.
        losses: ``[SEEDS, A]``, not finite where training broke.
        still: ``[SEEDS]``, the loss without training, of the same seeds on the same rows.
        what: the losses are called in sentences.
    """
    means, _ = means_of(losses)
    lowest = int(np.argmin(means))
    if not np.isfinite(means[lowest]):
        return compare(lrs, losses, what)
    gains = still - losses[:, lowest]
    gain, error = float(np.mean(gains)), float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
    if not gain > SURE * error:
        t = gain / error if error > 0 else 0.0
        told = f"no constant rate ended with a lower {what} than no training does, beyond the noise (t {t:.1f}, needed {SURE})"
        return Comparison(Status.NO_USABLE_REGION, told, None, None, None, None)
    found = compare(lrs, losses, what, learns=True)
    return replace(found, sentence=f"{found.sentence}; without training it is {float(np.mean(still)):.3g}")
