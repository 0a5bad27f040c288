"""Optimizers without what ``torch.optim`` does around them: the same kernels on the same numbers.

Looking for gradients, grouping tensors and telling the profiler takes torch's Adam about 100 of its 130 us on a CPU for the few vectors
that a ``Flat`` model has. And the first optimizer that a process makes or steps imports torch's compiler, 822 modules and a second of
processor time, only to keep it away from that method.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import optim


class Uncompiled:
    """Of an optimizer that is made without the compiler; comes before torch's class."""

    add_param_group = inspect.unwrap(optim.Optimizer.add_param_group)


class AdamW(Uncompiled, optim.AdamW):
    """Torch's, with its state from the beginning."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        _begin_adam(self)


class Adam(Uncompiled, optim.Adam):
    """Torch's, with its state from the beginning."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        _begin_adam(self)


class Sgd(Uncompiled, optim.SGD):
    """Torch's, with zeros for a momentum from the beginning.

    Torch's fused kernel leaves a new buffer uninitialised when the first step is skipped (fp16), and then steps with it.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        for parameter in _parameters(self):
            self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


@torch.no_grad()
def step(optimizer: optim.Optimizer) -> None:
    """``optimizer.step()``, bit for bit.

    Other optimizers, other devices and groups of several tensors (``Shards``) go torch's way.

    Args:
        optimizer: as ``sweeper.core.optim.build`` makes it.
    """
    direct = _DIRECT.get(type(optimizer))
    groups = optimizer.param_groups
    vectors = [group["params"][0] for group in groups if len(group["params"]) == 1]
    if direct is None or len(vectors) < len(groups) or any(one.device.type != "cpu" for one in vectors):
        optimizer.step()
        return
    for group in groups:
        (parameter,) = group["params"]
        direct(parameter, parameter.grad, optimizer.state[parameter], group)


def _parameters(optimizer: optim.Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _begin_adam(optimizer: optim.Optimizer) -> None:
    """The state that torch's fused Adam makes in its first step."""
    for parameter in _parameters(optimizer):
        optimizer.state[parameter].update(
            step=torch.zeros((), dtype=torch.float32, device=parameter.device),
            exp_avg=torch.zeros_like(parameter),
            exp_avg_sq=torch.zeros_like(parameter),
        )


def _adamw(parameter: torch.Tensor, gradient: torch.Tensor, state: Mapping[str, torch.Tensor], group: Mapping[str, Any]) -> None:
    _adam(parameter, gradient, state, group, torch._fused_adamw_)


def _adam(
    parameter: torch.Tensor,
    gradient: torch.Tensor,
    state: Mapping[str, torch.Tensor],
    group: Mapping[str, Any],
    kernel: Callable[..., None] = torch._fused_adam_,
) -> None:
    state["step"].add_(1)
    beta1, beta2 = group["betas"]
    kernel(
        [parameter],
        [gradient],
        [state["exp_avg"]],
        [state["exp_avg_sq"]],
        [],
        [state["step"]],
        lr=group["lr"],
        beta1=beta1,
        beta2=beta2,
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        amsgrad=False,
        maximize=False,
    )


def _sgd(parameter: torch.Tensor, gradient: torch.Tensor, state: Mapping[str, torch.Tensor], group: Mapping[str, Any]) -> None:
    torch._fused_sgd_(
        [parameter],
        [gradient],
        [state["momentum_buffer"]] if group["momentum"] else [],
        weight_decay=group["weight_decay"],
        momentum=group["momentum"],
        lr=group["lr"],
        dampening=0.0,
        nesterov=group["nesterov"],
        maximize=False,
        is_first_step=False,
    )


_DIRECT: Mapping[type[optim.Optimizer], Callable[..., None]] = {AdamW: _adamw, Adam: _adam, Sgd: _sgd}
