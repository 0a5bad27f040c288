"""What the optimizers over lanes have in common: the state of every lane, and where lanes are stepped one by one their configs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from sweeper.core.stack.slabs import Slabs


class LaneState:
    """Fresh state for every lane.

    Args:
        slabs: of the stack.
        moments: how many numbers are remembered per parameter.

    Attributes:
        moments: each as large as the parameters [K, n]; zero.
        steps: that were taken, [K]; zero.
    """

    def __init__(self, slabs: Slabs, moments: int) -> None:
        self.moments = tuple(torch.zeros_like(slabs.values) for _ in range(moments))
        self.steps = torch.zeros(len(slabs), device=slabs.values.device)


class OneByOne(LaneState):
    """Lanes that are stepped one after another, each with the numbers of its config."""

    def __init__(self, slabs: Slabs, moments: int) -> None:
        super().__init__(slabs, moments)
        self._configs: Sequence[Any] = ()

    def adopt(self, configs: Sequence[Any]) -> None:
        """See ``LaneOptimizer``."""
        self._configs = configs
