"""Our own range test on recorded curves: the ladders, and the constant rates about what they suggest, as a user gets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.ranges.curves import Recorded, ladder
from benchmarks.ranges.problems import OPTIMIZERS
from sweeper.lr_range import probe as stage
from sweeper.lr_range.arms import compare, row
from sweeper.lr_range.judge import Status, judge
from sweeper.lr_range.ladder import STEPS
from sweeper.lr_range.run import LONGER


@dataclass(frozen=True)
class Answer:
    """What a test says.

    Attributes:
        suggestion, bracket: None: it says nothing.
        status: of the ladder.
        confidence: of the ladder.
        horizon: for how many steps the answer holds.
        cost: optimizer steps that were taken.
    """

    suggestion: float | None
    bracket: tuple[float, float] | None
    status: Status
    confidence: float | None
    horizon: int
    cost: int


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
    return Answer(found.suggestion, found.bracket, found.status, found.confidence, steps, cost)


def whole(recorded: Recorded, seeds: range, arms: int = stage.SEEDS) -> Answer:
    """Both stages; the second takes the first so many of the seeds."""
    first = ladder_alone(recorded, seeds)
    if first.suggestion is None:
        return first
    taken = 0

    def train(lrs: Sequence[float]) -> np.ndarray:
        nonlocal taken
        curves = recorded.arms(np.array(lrs), range(seeds.start, seeds.start + arms), first.horizon)
        taken += int(np.sum(np.isfinite(curves)))
        return stage.ended_at(curves).T

    verdict = compare(*row(first.suggestion, train), first.suggestion)
    return Answer(
        verdict.suggestion or first.suggestion,
        verdict.bracket or first.bracket,
        first.status,
        first.confidence,
        first.horizon,
        first.cost + taken,
    )
