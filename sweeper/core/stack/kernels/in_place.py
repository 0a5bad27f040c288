"""The optimizers for which torch has no fused kernel, lane by lane, in place and with the lane's own numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sweeper.core.stack.kernels.state import OneByOne
from sweeper.core.stack.slabs import Slabs


@dataclass(frozen=True)
class _Row:
    """One lane: views that live as long as the slabs; ``matrices`` is the part of ``values`` that is decayed."""

    values: torch.Tensor
    gradient: torch.Tensor
    moments: list[torch.Tensor]
    matrices: torch.Tensor


class _InPlace(OneByOne):
    """The rows of a stack, whole: a kernel costs as much to call as a small lane takes to step."""

    def __init__(self, slabs: Slabs, moments: int) -> None:
        super().__init__(slabs, moments)
        values, gradient, decayed = slabs.values.detach(), slabs.gradient, slabs.decayed
        self._rows = [_Row(values[k], gradient[k], [moment[k] for moment in self.moments], values[k, :decayed]) for k in range(len(slabs))]
        self._decayed = torch.zeros_like(values[0])
        self._decayed[:decayed] = 1.0

    def _each(self, rates: Sequence[float], divisors: torch.Tensor) -> Iterator[tuple[Any, float, _Row]]:
        """Begins a step; every lane with its config and rate, its gradient clipped."""
        self.steps += 1
        for config, rate, divisor, row in zip(self._configs, rates, divisors.unbind(), self._rows, strict=True):
            row.gradient.div_(divisor)
            yield config, rate, row


class InPlaceRmsProp(_InPlace):
    """RMSprop (Tieleman & Hinton, 2012), the operations of ``torch.optim.RMSprop``."""

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 2)

    def step(self, rates: Sequence[float], divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer``."""
        for config, rate, row in self._each(rates, divisors):
            square, velocity = row.moments
            gradient = row.gradient
            if config.weight_decay:  # not in place: who looks at the gradient afterwards wants the loss's own
                gradient = gradient.addcmul(row.values, self._decayed, value=config.weight_decay)
            square.mul_(config.alpha).addcmul_(gradient, gradient, value=1 - config.alpha)
            spread = square.sqrt().add_(config.eps)
            if config.momentum:
                velocity.mul_(config.momentum).addcdiv_(gradient, spread)
                row.values.add_(velocity, alpha=-rate)
            else:
                row.values.addcdiv_(gradient, spread, value=-rate)


class InPlaceLion(_InPlace):
    """Lion (Chen et al., 2023), the operations of ``sweeper.core.optim.lion.Lion``."""

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 1)

    def step(self, rates: Sequence[float], divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer``."""
        for config, rate, row in self._each(rates, divisors):
            (momentum,) = row.moments
            update = momentum.lerp(row.gradient, 1 - config.beta1).sign_()
            if config.weight_decay:
                row.matrices.mul_(1 - rate * config.weight_decay)
            row.values.add_(update, alpha=-rate)
            momentum.lerp_(row.gradient, 1 - config.beta2)
