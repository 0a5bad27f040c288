"""Lion, which torch does not have."""

from __future__ import annotations

from typing import Any

import torch
from torch import optim

from sweeper.core.optim.lean import Uncompiled


class Lion(Uncompiled, optim.Optimizer):
    """Lion (Chen et al., 2023, *Symbolic Discovery of Optimization Algorithms*, algorithm 2).

    With gradient g, momentum m, betas b1 and b2, learning rate r and weight decay d::

        w <- w - r * (sign(b1 * m + (1 - b1) * g) + d * w)
        m <- b2 * m + (1 - b2) * g

    A step that a ``GradScaler`` finds to have overflowed changes nothing, and nobody waits for the device to learn of it; the gradients
    must have been unscaled before.

    Args:
        params: parameters or groups of them.
        lr: r, a number or a scalar tensor.
        betas: b1 and b2.
        weight_decay: d, decoupled.
    """

    _step_supports_amp_scaling = True

    def __init__(self, params: Any, lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99), weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["exp_avg"] = torch.zeros_like(parameter)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002 - torch's signature
        """One step; a scaler has left its verdict in ``found_inf``."""
        found_inf: torch.Tensor | None = getattr(self, "found_inf", None)
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            rate, news = group["lr"], 1 - beta2
            if found_inf is not None:
                taken = (found_inf == 0).float()
                rate, news = rate * taken, news * taken
            for parameter in group["params"]:
                gradient, momentum = parameter.grad, self.state[parameter]["exp_avg"]
                if found_inf is not None:
                    gradient = gradient.where(found_inf == 0, 0.0)
                update = momentum.lerp(gradient, 1 - beta1).sign_()
                if group["weight_decay"]:
                    parameter.mul_(1 - rate * group["weight_decay"])
                parameter.sub_(update.mul_(rate))
                momentum.lerp_(gradient, news)
