"""The optimizers as formulas over all lanes at once, with the lanes' numbers in tensors: recorded once, replayed for other trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from sweeper.core.stack.kernels.state import LaneState
from sweeper.core.stack.slabs import Slabs


class _Formula(LaneState):
    """The lanes' numbers in tensors [K, 1] that are changed in place."""

    numbers: tuple[str, ...]

    def __init__(self, slabs: Slabs, moments: int) -> None:
        super().__init__(slabs, moments)
        self._values, self._gradient = slabs.values.detach(), slabs.gradient
        self._decayed = slabs.decayed
        self._of = {name: torch.zeros(len(slabs), 1, device=slabs.values.device) for name in self.numbers}

    def adopt(self, configs: Sequence[Any]) -> None:
        """See ``LaneOptimizer``."""
        for name, tensor in self._of.items():
            tensor.copy_(torch.tensor([[getattr(config, name)] for config in configs]))

    def _decay(self, rate: torch.Tensor) -> None:
        """Decoupled: takes a share of the matrices away."""
        self._values[:, : self._decayed].mul_(1 - rate * self._of["weight_decay"])

    def _decaying(self, divisors: torch.Tensor) -> torch.Tensor:
        """The clipped gradient [K, n] with that of L2 decay."""
        gradient = self._gradient / divisors.unsqueeze(1)
        gradient[:, : self._decayed] += self._values[:, : self._decayed] * self._of["weight_decay"]
        return gradient


class FormulaAdamW(_Formula):
    """AdamW (Loshchilov & Hutter, 2019), ten kernels for all lanes."""

    numbers = ("beta1", "beta2", "eps", "weight_decay")

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 2)

    def step(self, rates: torch.Tensor, divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer``."""
        rate = rates.unsqueeze(1)
        gradient = self._gradient / divisors.unsqueeze(1)
        self._decay(rate)
        self._move(rate, gradient)

    def _move(self, rate: torch.Tensor, gradient: torch.Tensor) -> None:
        first, second = self.moments
        beta1, beta2 = self._of["beta1"], self._of["beta2"]
        steps = self.steps.add_(1).unsqueeze(1)
        first.lerp_(gradient, 1 - beta1)
        second.mul_(beta2).add_((1 - beta2) * gradient.square())
        spread = (second / (1 - beta2**steps)).sqrt_().add_(self._of["eps"])
        self._values.sub_(first / (1 - beta1**steps) / spread * rate)


class FormulaAdam(FormulaAdamW):
    """Adam (Kingma & Ba, 2015): the decay is part of the gradient."""

    def step(self, rates: torch.Tensor, divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer``."""
        self._move(rates.unsqueeze(1), self._decaying(divisors))


class FormulaRmsProp(_Formula):
    """RMSprop (Tieleman & Hinton, 2012), nine kernels for all lanes."""

    numbers = ("alpha", "momentum", "eps", "weight_decay")

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 2)

    def step(self, rates: torch.Tensor, divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer``."""
        square, velocity = self.moments
        alpha = self._of["alpha"]
        self.steps += 1
        gradient = self._decaying(divisors)
        square.mul_(alpha).add_((1 - alpha) * gradient.square())
        velocity.mul_(self._of["momentum"]).add_(gradient / square.sqrt().add_(self._of["eps"]))
        self._values.sub_(velocity * rates.unsqueeze(1))


class FormulaLion(_Formula):
    """Lion (Chen et al., 2023), seven kernels for all lanes."""

    numbers = ("beta1", "beta2", "weight_decay")

    def __init__(self, slabs: Slabs) -> None:
        super().__init__(slabs, 1)

    def step(self, rates: torch.Tensor, divisors: torch.Tensor) -> None:
        """See ``LaneOptimizer``."""
        (momentum,) = self.moments
        rate = rates.unsqueeze(1)
        self.steps += 1
        gradient = self._gradient / divisors.unsqueeze(1)
        update = momentum.lerp(gradient, 1 - self._of["beta1"]).sign_()
        self._decay(rate)
        self._values.sub_(update.mul_(rate))
        momentum.lerp_(gradient, 1 - self._of["beta2"])


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
        gradient = self._decaying(divisors)
        velocity.mul_(self._of["momentum"]).add_(gradient)
        if self._nesterov:
            gradient += velocity * self._of["momentum"]
        self._values.sub_((gradient if self._nesterov else velocity) * rates.unsqueeze(1))
