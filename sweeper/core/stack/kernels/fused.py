"""The optimizers for which torch has fused kernels, lane by lane: the bits of ``torch.optim``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sweeper.core.stack.kernels.state import OneByOne
from sweeper.core.stack.slabs import Slabs


@dataclass(frozen=True)
class _Row:
    """One group (decayed or not) of one lane: views that live as long as the slabs."""

    values: list[torch.Tensor]
    gradient: list[torch.Tensor]
    moments: list[list[torch.Tensor]]
    step: list[torch.Tensor]
    decays: bool


class _Fused(OneByOne):
    """The rows of a stack, cut into groups."""

    def __init__(self, slabs: Slabs, moments: int) -> None:
        super().__init__(slabs, moments)
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

    def _each(self, rates: Sequence[float], divisors: torch.Tensor) -> Iterator[tuple[Any, float, torch.Tensor, _Row]]:
        """Begins a step; every group of every lane, with the lane's config, rate and divisor."""
        self.steps += 1
        for config, rate, divisor, groups in zip(self._configs, rates, divisors.unbind(), self._rows, strict=True):
            for row in groups:
                yield config, rate, divisor, row


class FusedAdamW(_Fused):
    """AdamW (Loshchilov & Hutter, 2019), as ``torch.optim.AdamW(fused=True)`` computes it."""

    kernel: Callable[..., None] = staticmethod(torch._fused_adamw_)

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 2)

    def step(self, rates: Sequence[float], divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer``."""
        for config, rate, divisor, row in self._each(rates, divisors):
            self.kernel(
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


class FusedAdam(FusedAdamW):
    """Adam (Kingma & Ba, 2015) with L2 decay, as ``torch.optim.Adam(fused=True)`` computes it."""

    kernel = staticmethod(torch._fused_adam_)


class FusedSgd(_Fused):
    """SGD with momentum, as ``torch.optim.SGD(fused=True)`` computes it."""

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 1)

    def step(self, rates: Sequence[float], divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer``."""
        for config, rate, divisor, row in self._each(rates, divisors):
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
