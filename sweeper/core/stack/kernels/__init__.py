"""The optimizers over K lanes.

On a CPU each lane's row is stepped by itself with that lane's numbers, by torch's own fused kernels where there are such: a formula over
all lanes takes longer there (docs/decisions.md). On a GPU, where a launch costs more than its work, the formula is one for all lanes,
with the lanes' numbers in tensors, so that it can be recorded once and replayed for other trials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch

from sweeper.config.schema import Adam, AdamW, Lion, Optimizer, RmsProp, Sgd
from sweeper.core.stack.kernels.formula import FormulaAdam, FormulaAdamW, FormulaLion, FormulaRmsProp, FormulaSgd
from sweeper.core.stack.kernels.fused import FusedAdam, FusedAdamW, FusedSgd
from sweeper.core.stack.kernels.in_place import InPlaceLion, InPlaceRmsProp
from sweeper.core.stack.slabs import Slabs


class LaneOptimizer(Protocol):
    """Steps every lane by its own numbers; a lane's state is a row of each tensor in ``moments`` and an entry of ``steps``."""

    moments: tuple[torch.Tensor, ...]
    steps: torch.Tensor

    def adopt(self, configs: Sequence[Any]) -> None:
        """Takes the lanes' numbers, by row."""

    def step(self, rates: Any, divisors: torch.Tensor) -> None:
        """One step; the stack's gradient is divided or left as it is, nothing else is done to it.

        Args:
            rates: learning rates by row; numbers where lanes are stepped one by one, a tensor [K] for the formulas.
            divisors: [K], what each lane's gradient is divided by first (clipping).
        """


BY_ROW: Mapping[type[Any], Callable[[Slabs], LaneOptimizer]] = {
    AdamW: FusedAdamW,
    Adam: FusedAdam,
    RmsProp: InPlaceRmsProp,
    Lion: InPlaceLion,
    Sgd: FusedSgd,
}
"""For a CPU, by config."""

BY_FORMULA: Mapping[type[Any], Callable[[Slabs], LaneOptimizer]] = {
    AdamW: FormulaAdamW,
    Adam: FormulaAdam,
    RmsProp: FormulaRmsProp,
    Lion: FormulaLion,
    Sgd: FormulaSgd,
}
"""For other devices."""


def stackable(config: Optimizer) -> bool:
    """Whether there is this optimizer over lanes."""
    return type(config) in BY_ROW


def build(config: Optimizer, slabs: Slabs) -> LaneOptimizer:
    """The optimizer of this family with fresh state for every lane, in the way that suits the device.

    Args:
        config: of a ``stackable`` family; its numbers are no matter here, ``adopt`` takes those.
        slabs: of the stack.
    """
    return (BY_ROW if slabs.values.device.type == "cpu" else BY_FORMULA)[type(config)](slabs)
