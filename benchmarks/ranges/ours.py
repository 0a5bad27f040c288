"""Our own range test on recorded curves: the ladders, and the constant rates about what they suggest, as a user gets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.ranges.curves import Recorded, ladder
from benchmarks.ranges.problems import OPTIMIZERS
from sweeper.lr_range import probe as stage
from sweeper.lr_range.arms import compare, row
from sweeper.lr_range.judge import Status, judge
from sweeper.lr_range.ladder import HIGH, LOW, STEPS
from sweeper.lr_range.run import LONGER
from sweeper.lr_range.scan import COARSE_SEEDS, judged, scanned

FRESH = 2000
"""From here on are the seeds that a repeat has besides those of its ladders: neither other repeats nor grids have them."""


@dataclass(frozen=True)
class Answer:
    """What a test says.

    Attributes:
        suggestion, bracket: None: it says nothing.
        status: of the ladder, or of the constant rates where those alone have an answer.
        confidence: of the ladder, if that has an answer.
        horizon: for how many steps the answer holds.
        cost: optimizer steps that were taken.
        reach: the last rate of the ladder before most seeds were no longer finite.
    """

    suggestion: float | None
    bracket: tuple[float, float] | None
    status: Status
    confidence: float | None
    horizon: int
    cost: int
    reach: float = HIGH


def ladder_alone(recorded: Recorded, seeds: range) -> Answer:
    """The first stage: ladders with these seeds, of 300 steps where those of 100 show nothing.

    Args:
        recorded: the problem.
        seeds: of those that were recorded.
    """
    plain, cost = recorded.problem.optimizer == OPTIMIZERS["sgd"], 0
    for steps in (STEPS, LONGER):
        losses = recorded.curves(steps).ladder[seeds.start : seeds.stop]
        cost += int(np.sum(np.isfinite(losses)))
        found = judge(ladder(steps), losses, plain=plain)
        if found.status is not Status.NO_USABLE_REGION:
            break
    reach = float(ladder(steps)[len(found.smoothed) - 1])
    return Answer(found.suggestion, found.bracket, found.status, found.confidence, steps, cost, reach)


def whole(recorded: Recorded, seeds: range, arms: int = stage.SEEDS) -> Answer:
    """Both stages; the second takes the first so many of the seeds, or others besides where the ladders show nothing."""
    first = ladder_alone(recorded, seeds)
    taken = 0

    def train(lrs: Sequence[float], numbers: range) -> np.ndarray:
        nonlocal taken
        curves = recorded.arms(np.array(lrs), numbers, first.horizon)
        taken += int(np.sum(np.isfinite(curves)))
        return stage.ended_at(curves).T

    def numbered(lrs: Sequence[float], asked: range) -> np.ndarray:
        begin = seeds.start if asked.start < COARSE_SEEDS else FRESH + 10 * seeds.start
        return train(lrs, range(begin + asked.start, begin + asked.stop))

    status = first.status
    if first.suggestion is not None:
        verdict = compare(*row(first.suggestion, lambda lrs: train(lrs, range(seeds.start, seeds.start + arms))))
    elif status is Status.NO_USABLE_REGION:
        scan, lrs, losses = scanned(LOW, first.reach, numbered)
        verdict = judged(lrs, losses, scan.still, "loss")
        status = verdict.status if verdict.suggestion else status
    else:
        return first
    return replace(
        first,
        suggestion=verdict.suggestion or first.suggestion,
        bracket=verdict.bracket or first.bracket,
        status=status,
        cost=first.cost + taken,
    )
