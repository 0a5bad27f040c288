"""The optimizers over K lanes: torch's own fused kernels, called for each lane's row with that lane's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from sweeper.config.schema import AdamW, Sgd
from sweeper.core.stack.slabs import Slabs


class LaneOptimizer(Protocol):
    """Steps every lane by its own learning rate; a lane's state is a row of each tensor in ``moments`` and an entry of ``steps``."""

    moments: tuple[torch.Tensor, ...]
    steps: torch.Tensor

    def step(self, configs: Sequence[Any], rates: Sequence[float], divisors: torch.Tensor) -> None:
        """One step.

        Args:
            configs: by row.
            rates: learning rates by row.
            divisors: [K], what each lane's gradient is divided by first (clipping).
        """


@dataclass(frozen=True)
class _Row:
    """One group (decayed or not) of one lane: views that live as long as the slabs."""

    values: list[torch.Tensor]
    gradient: list[torch.Tensor]
    moments: list[list[torch.Tensor]]
    step: list[torch.Tensor]
    decays: bool


class _Rows:
    """The rows of a stack, cut into groups."""

    def __init__(self, slabs: Slabs, moments: int) -> None:
        self.moments = tuple(torch.zeros_like(slabs.values) for _ in range(moments))
        self.steps = torch.zeros(len(slabs), device=slabs.values.device)
        ends = [(slice(0, slabs.decayed), True), (slice(slabs.decayed, None), False)]
        self._rows = [
            [
                _Row(
                    [slabs.values.detach()[k, part]],
                    [slabs.gradient[k, part]],
                    [[moment[k, part]] for moment in self.moments],
                    [self.steps[k]],
                    decays,
                )
                for part, decays in ends
                if slabs.values[k, part].numel()
            ]
            for k in range(len(slabs))
        ]


class LaneAdamW(_Rows):
    """AdamW (Loshchilov & Hutter, 2019), as ``torch.optim.AdamW(fused=True)`` computes it."""

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 2)

    def step(self, configs: Sequence[AdamW], rates: Sequence[float], divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer.step``."""
        self.steps += 1
        for config, rate, divisor, groups in zip(configs, rates, divisors.unbind(), self._rows, strict=True):
            for row in groups:
                torch._fused_adamw_(
                    row.values,
                    row.gradient,
                    row.moments[0],
                    row.moments[1],
                    [],
                    row.step,
                    lr=rate,
                    beta1=config.beta1,
                    beta2=config.beta2,
                    weight_decay=config.weight_decay if row.decays else 0.0,
                    eps=config.eps,
                    amsgrad=False,
                    maximize=False,
                    grad_scale=divisor,
                )


class LaneSgd(_Rows):
    """SGD with momentum, as ``torch.optim.SGD(fused=True)`` computes it."""

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 1)

    def step(self, configs: Sequence[Sgd], rates: Sequence[float], divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer.step``."""
        self.steps += 1
        for config, rate, divisor, groups in zip(configs, rates, divisors.unbind(), self._rows, strict=True):
            for row in groups:
                torch._fused_sgd_(
                    row.values,
                    row.gradient,
                    row.moments[0] if config.momentum else [],
                    weight_decay=config.weight_decay if row.decays else 0.0,
                    momentum=config.momentum,
                    lr=rate,
                    dampening=0.0,
                    nesterov=config.nesterov,
                    maximize=False,
                    is_first_step=False,
                    grad_scale=divisor,
                )


def build(config: AdamW | Sgd, slabs: Slabs) -> LaneOptimizer:
    """The optimizer of this family with fresh state for every lane."""
    match config:
        case AdamW():
            return LaneAdamW(slabs)
        case Sgd():
            return LaneSgd(slabs)
