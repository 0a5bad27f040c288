"""Changes of time series ``[n, time, features]`` (Um et al., 2017); none writes into its input."""

from __future__ import annotations

import torch
from torch.nn import functional

from sweeper.core.augment.draws import Draws, Use

KNOTS = 5
"""Points in time at which the speed of a warped series is drawn; between them it changes evenly."""

SLOWEST = 0.1
"""Time never stands still or runs backwards."""


def scale(x: torch.Tensor, strength: float, draws: Draws) -> torch.Tensor:
    """Each feature of each series times a factor drawn from a normal distribution of mean 1 and this standard deviation."""
    return x * (1.0 + strength * draws.normal(Use.SCALING, len(x), 1, x.shape[2]))


def time_warp(x: torch.Tensor, strength: float, draws: Draws) -> torch.Tensor:
    """Each series with time running faster and slower by turns; its first and last moments stay where they are."""
    n, time, features = x.shape
    if time == 1:
        return x
    knots = (1.0 + strength * draws.normal(Use.TIME_WARP, n, KNOTS)).clamp(min=SLOWEST)
    speed = functional.interpolate(knots.unsqueeze(1), time - 1, mode="linear", align_corners=True).squeeze(1)
    moments = functional.pad(speed.cumsum(1), (1, 0))
    moments = moments / moments[:, -1:] * (time - 1)
    before = moments.floor().clamp(0, time - 2)
    share = (moments - before).unsqueeze(2)
    place = before.long().unsqueeze(2).expand(n, time, features)
    return torch.lerp(x.gather(1, place), x.gather(1, place + 1), share)
