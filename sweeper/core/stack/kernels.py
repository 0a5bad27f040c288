"""The optimizers over K lanes.

On a CPU torch's own fused kernels are called for each lane's row with that lane's numbers: a batched formula of ten kernels takes
three times as long there. On a GPU, where a launch costs more than its work, the formula is one for all lanes, with the lanes' numbers
in tensors, so that it can be recorded once and replayed for other trials.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from sweeper.config.schema import AdamW, Optimizer, Sgd
from sweeper.core.stack.slabs import Slabs


class LaneOptimizer(Protocol):
    """Steps every lane by its own numbers; a lane's state is a row of each tensor in ``moments`` and an entry of ``steps``."""

    moments: tuple[torch.Tensor, ...]
    steps: torch.Tensor

    def adopt(self, configs: Sequence[Any]) -> None:
        """Takes the lanes' numbers, by row."""

    def step(self, rates: Any, divisors: torch.Tensor) -> None:
        """One step.

        Args:
            rates: learning rates by row; numbers for the fused kernels, a tensor [K] for the formulas.
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


class _Fused:
    """The rows of a stack, cut into groups."""

    def __init__(self, slabs: Slabs, moments: int) -> None:
        self.moments = tuple(torch.zeros_like(slabs.values) for _ in range(moments))
        self.steps = torch.zeros(len(slabs), device=slabs.values.device)
        self._configs: Sequence[Any] = ()
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

    def adopt(self, configs: Sequence[Any]) -> None:
        """See ``LaneOptimizer``."""
        self._configs = configs

    def _each(self, rates: Sequence[float], divisors: torch.Tensor) -> Iterator[tuple[Any, float, torch.Tensor, _Row]]:
        """Begins a step; every group of every lane, with the lane's config, rate and divisor."""
        self.steps += 1
        for config, rate, divisor, groups in zip(self._configs, rates, divisors.unbind(), self._rows, strict=True):
            for row in groups:
                yield config, rate, divisor, row


class FusedAdamW(_Fused):
    """AdamW (Loshchilov & Hutter, 2019), as ``torch.optim.AdamW(fused=True)`` computes it."""

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 2)

    def step(self, rates: Sequence[float], divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer``."""
        for config, rate, divisor, row in self._each(rates, divisors):
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


class _Formula:
    """The lanes' numbers in tensors [K, 1] that are changed in place."""

    numbers: tuple[str, ...]

    def __init__(self, slabs: Slabs, moments: int) -> None:
        self.moments = tuple(torch.zeros_like(slabs.values) for _ in range(moments))
        self.steps = torch.zeros(len(slabs), device=slabs.values.device)
        self._values, self._gradient = slabs.values.detach(), slabs.gradient
        self._decayed = slabs.decayed
        self._of = {name: torch.zeros(len(slabs), 1, device=slabs.values.device) for name in self.numbers}

    def adopt(self, configs: Sequence[Any]) -> None:
        """See ``LaneOptimizer``."""
        for name, tensor in self._of.items():
            tensor.copy_(torch.tensor([[getattr(config, name)] for config in configs]))


class FormulaAdamW(_Formula):
    """AdamW (Loshchilov & Hutter, 2019), ten kernels for all lanes."""

    numbers = ("beta1", "beta2", "eps", "weight_decay")

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 2)

    def step(self, rates: torch.Tensor, divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer``."""
        first, second = self.moments
        beta1, beta2 = self._of["beta1"], self._of["beta2"]
        rate, steps = rates.unsqueeze(1), self.steps.add_(1).unsqueeze(1)
        gradient = self._gradient / divisors.unsqueeze(1)
        self._values[:, : self._decayed].mul_(1 - rate * self._of["weight_decay"])
        first.lerp_(gradient, 1 - beta1)
        second.mul_(beta2).add_((1 - beta2) * gradient.square())
        spread = (second / (1 - beta2**steps)).sqrt_().add_(self._of["eps"])
        self._values.sub_(first / (1 - beta1**steps) / spread * rate)


class FormulaSgd(_Formula):
    """SGD with momentum, eight kernels for all lanes."""

    numbers = ("momentum", "weight_decay")

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 1)
        self._nesterov = False

    def adopt(self, configs: Sequence[Any]) -> None:
        """See ``LaneOptimizer``."""
        super().adopt(configs)
        self._nesterov = configs[0].nesterov  # of the shape, not of the lane

    def step(self, rates: torch.Tensor, divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer``."""
        (velocity,) = self.moments
        self.steps += 1
        gradient = self._gradient / divisors.unsqueeze(1)
        gradient[:, : self._decayed] += self._values[:, : self._decayed] * self._of["weight_decay"]
        velocity.mul_(self._of["momentum"]).add_(gradient)
        if self._nesterov:
            gradient += velocity * self._of["momentum"]
        self._values.sub_((gradient if self._nesterov else velocity) * rates.unsqueeze(1))


def build(config: Optimizer, slabs: Slabs) -> LaneOptimizer:
    """The optimizer of this family with fresh state for every lane, in the way that suits the device."""
    on_cpu = slabs.values.device.type == "cpu"
    match config:
        case AdamW():
            return FusedAdamW(slabs) if on_cpu else FormulaAdamW(slabs)
        case Sgd():
            return FusedSgd(slabs) if on_cpu else FormulaSgd(slabs)
