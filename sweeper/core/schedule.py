"""Learning-rate schedules: the multiplier of the peak at every optimizer step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from sweeper.config import schema
from sweeper.config.schema import Constant, WarmupCosine

Schedule: TypeAlias = Callable[[int], float]
"""Maps a 0-based optimizer step to the multiplier of the peak learning rate."""

WARMUP_FROM = 0.01
"""Where a warm-up starts, as a share of the peak."""


def constant(step: int) -> float:  # noqa: ARG001 - the signature of every schedule
    """The peak throughout."""
    return 1.0


def cosine(progress: float, final: float) -> float:
    """Half a cosine from 1 at ``progress`` 0 to ``final`` at 1 (Loshchilov & Hutter, 2017, without restarts)."""
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))


def warmup_cosine(warmup_fraction: float, final_fraction: float, total_steps: int) -> Schedule:
    """Linear warm-up from 1/100 of the peak, then half a cosine to ``final_fraction`` of it.

    The first step has 1/100, step ``warmup`` the peak, and a step after the last one would have ``final_fraction``.

    Args:
        warmup_fraction: share of all steps spent warming up; rounded down to whole steps.
        final_fraction: last learning rate as a share of the peak.
        total_steps: the full run's steps, also when training is cut earlier.
    """
    warmup = int(warmup_fraction * total_steps)
    falling = max(1, total_steps - warmup)

    def at(step: int) -> float:
        if step < warmup:
            return WARMUP_FROM + (1.0 - WARMUP_FROM) * step / warmup
        return cosine(min(1.0, (step - warmup) / falling), final_fraction)

    return at


def build(config: schema.Schedule, total_steps: int) -> Schedule:
    """The schedule of this config over the full run's steps."""
    match config:
        case Constant():
            return constant
        case WarmupCosine():
            return warmup_cosine(config.warmup_fraction, config.final_fraction, total_steps)
