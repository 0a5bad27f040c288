"""A model to hand in, and a test of it that is over soon."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from sweeper.lr_range.handed import HandedResult, lr_range_test


def mlp(seed: int = 0) -> nn.Module:
    """A classifier of digits."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def short(model: nn.Module, optimizer: Optimizer | list[Optimizer], *args: Any, **kwargs: Any) -> HandedResult:
    """A test of few steps, for what does not need a curve that can be read."""
    return lr_range_test(model, optimizer, *args, **{"low": 1e-3, "high": 0.1, "steps": 6, "repeats": 2, **kwargs})
