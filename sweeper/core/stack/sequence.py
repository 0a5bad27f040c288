"""K models that are a sequence of known layers, written out as batched layers: the fast way for multilayer perceptrons."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from torch import nn
from torch.nn import functional

from sweeper.core.dropout import Dropout
from sweeper.core.models.parts import ACTIVATIONS
from sweeper.core.stack.slabs import ALIGN

Tensors: TypeAlias = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Pass:
    """One forward pass of the stack.

    Attributes:
        leaves: parameters by name, [K, *shape].
        buffers: by name, [K, *shape]; running statistics are updated in training.
        masks: of the dropout layers in order, [K, rows, ...], already scaled; empty in evaluation and where no lane drops anything.
        rows: how many rows of each lane are real; those after them are padding.
        training: or evaluation.
    """

    leaves: Tensors
    buffers: Tensors
    masks: Sequence[torch.Tensor]
    rows: int
    training: bool


class Forward(Protocol):
    """K models as one function."""

    row_unit: int
    flat: bool

    def __call__(self, x: torch.Tensor, this: Pass) -> torch.Tensor:
        """Maps ``x`` [K, rows (padded to a multiple of ``row_unit``), *input_shape (one axis if ``flat``)] to [K, rows, outputs]."""

    def activations(self, x: torch.Tensor, this: Pass) -> list[torch.Tensor]:
        """The outputs [K, rows, ...] of every activation on the way of ``x`` through the models."""


class _Linear(torch.autograd.Function):
    """``x @ w.T + b`` of K lanes. The same bits for a lane whatever K is, which ``torch.bmm`` alone does not give for odd sizes."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        out = _matmul(x, weight.transpose(1, 2))
        return out if bias is None else out.add_(bias.to(out.dtype).unsqueeze(1))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor | None]:
        x, weight = ctx.saved_tensors
        for_x = _matmul(gradient, weight) if ctx.needs_input_grad[0] else None
        for_bias = gradient.sum(1) if ctx.needs_input_grad[2] else None
        return for_x, _matmul(gradient.transpose(1, 2), x), for_bias


def _matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """[K, n, m] @ [K, m, o]."""
    n, m, o = a.shape[1], a.shape[2], b.shape[2]
    # The library chooses its kernel by the sizes and by where a lane's part of the result begins. Vectors, and results whose
    # lanes begin at odd addresses, would make that depend on K or on the lane; so does sharing the work among threads.
    if a.device.type != "cpu" or (torch.get_num_threads() == 1 and min(n, m, o) > 1 and n * o % (ALIGN // 2) == 0):
        return torch.bmm(a, b)
    return torch.stack([torch.mm(one, other) for one, other in zip(a, b, strict=True)])


Step: TypeAlias = Callable[[torch.Tensor, Pass], torch.Tensor]


def _linear(name: str, module: nn.Linear, dtype: torch.dtype) -> Step:
    weight, bias = f"{name}.weight", f"{name}.bias" if module.bias is not None else None

    def step(x: torch.Tensor, this: Pass) -> torch.Tensor:
        out: torch.Tensor = _Linear.apply(  # type: ignore[no-untyped-call]
            x.to(dtype), this.leaves[weight].to(dtype), None if bias is None else this.leaves[bias].to(dtype)
        )
        return out

    return step


class _BatchNorm(torch.autograd.Function):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the real rows of each lane; padded rows carry no gradient.

    One function with its own backward pass: the two sums that the weights' gradients are serve that of ``x`` too.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float, rows: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean = x[:, :rows].mean(1, keepdim=True)
        out = x - mean
        # Not var_mean, whose careful one-pass sum over rows takes longer than all the rest.
        var = out[:, :rows].square().mean(1, keepdim=True)
        spread = torch.rsqrt(var + eps)
        out.mul_(spread)
        if rows < x.shape[1]:
            out[:, rows:] = 0.0
        weight = weight.unsqueeze(1)
        ctx.save_for_backward(out, spread, weight)
        ctx.rows = rows
        ctx.mark_non_differentiable(mean, var)
        return torch.addcmul(bias.unsqueeze(1), out, weight), mean, var

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor, *_: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None, None]:
        out, spread, weight = ctx.saved_tensors
        rows = ctx.rows
        for_bias = gradient[:, :rows].sum(1, keepdim=True)
        for_weight = (gradient[:, :rows] * out[:, :rows]).sum(1, keepdim=True)
        for_x = torch.addcmul(gradient - for_bias / rows, out, for_weight / rows, value=-1.0).mul_(spread * weight)
        if rows < out.shape[1]:
            for_x[:, rows:] = 0.0
        return for_x, for_weight.squeeze(1), for_bias.squeeze(1), None, None


def _batch_norm(name: str, module: nn.BatchNorm1d, _dtype: torch.dtype) -> Step:
    momentum = module.momentum if module.momentum is not None else 0.1

    def step(x: torch.Tensor, this: Pass) -> torch.Tensor:
        mean, var = (this.buffers[f"{name}.running_{part}"].unsqueeze(1) for part in ("mean", "var"))
        weight, bias = this.leaves[f"{name}.weight"], this.leaves[f"{name}.bias"]
        if not this.training:
            return torch.addcmul(bias.unsqueeze(1), (x.float() - mean) * torch.rsqrt(var + module.eps), weight.unsqueeze(1))
        out: torch.Tensor
        out, found, spread = _BatchNorm.apply(x.float(), weight, bias, module.eps, this.rows)  # type: ignore[no-untyped-call]
        mean.lerp_(found, momentum)
        var.lerp_(spread * (this.rows / (this.rows - 1)), momentum)
        this.buffers[f"{name}.num_batches_tracked"].add_(1)
        return out

    return step


def _layer_norm(name: str, module: nn.LayerNorm, _dtype: torch.dtype) -> Step:
    def step(x: torch.Tensor, this: Pass) -> torch.Tensor:
        out = functional.layer_norm(x.float(), module.normalized_shape, eps=module.eps)
        return torch.addcmul(this.leaves[f"{name}.bias"].unsqueeze(1), out, this.leaves[f"{name}.weight"].unsqueeze(1))

    return step


def _dropout(position: int) -> Step:
    def step(x: torch.Tensor, this: Pass) -> torch.Tensor:
        return x * this.masks[position] if this.masks else x

    return step


def _elementwise(module: nn.Module) -> Step:
    def step(x: torch.Tensor, _this: Pass) -> torch.Tensor:
        out: torch.Tensor = module(x)
        return out

    return step


LAYERS: Mapping[type[nn.Module], Callable[[str, Any, torch.dtype], Step]] = {
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.LayerNorm: _layer_norm,
}
ELEMENTWISE = tuple({type(make()) for make in ACTIVATIONS.values()} | {nn.Identity})


class SequenceForward:
    """The layers one after another, each for all lanes; ``of`` makes it where it can be made."""

    flat = True

    def __init__(self, steps: Sequence[Step], row_unit: int, activations: frozenset[int]) -> None:
        self.row_unit = row_unit
        self._steps = steps
        self._activations = activations

    @classmethod
    def of(cls, model: nn.Module, input_shape: tuple[int, ...], dtype: torch.dtype) -> SequenceForward | None:
        """The batched layers of a model, or None when it is no sequence of known ones.

        Args:
            model: says its ``sequence()``, or is an ``nn.Sequential``.
            input_shape: of one row.
            dtype: of matrix products; norms are computed in float32.
        """
        named = _sequence(model)
        if not named:
            return None
        if isinstance(named[0][1], nn.Flatten):
            del named[0]
        elif len(input_shape) != 1:
            return None
        steps: list[Step] = []
        activations: set[int] = set()
        widths = [math.prod(input_shape)]
        drops = 0
        for name, module in named:
            if type(module) in LAYERS:
                steps.append(LAYERS[type(module)](name, module, dtype))
                widths += [module.out_features] if isinstance(module, nn.Linear) else []
            elif isinstance(module, Dropout):
                steps.append(_dropout(drops))
                drops += 1
            elif type(module) in ELEMENTWISE:
                if not isinstance(module, nn.Identity):
                    activations.add(len(steps))
                steps.append(_elementwise(module))
            else:
                return None
        # So that every layer's part of a lane is a whole number of ALIGN floats: see slabs.
        return cls(steps, math.lcm(*(ALIGN // math.gcd(ALIGN, width) for width in widths)), frozenset(activations))

    def __call__(self, x: torch.Tensor, this: Pass) -> torch.Tensor:
        """See ``Forward``."""
        for step in self._steps:
            x = step(x, this)
        return x[:, : this.rows]

    def activations(self, x: torch.Tensor, this: Pass) -> list[torch.Tensor]:
        """See ``Forward``."""
        found = []
        for place, step in enumerate(self._steps):
            x = step(x, this)
            if place in self._activations:
                found.append(x[:, : this.rows])
        return found


def _sequence(model: nn.Module) -> list[tuple[str, nn.Module]]:
    if isinstance(model, nn.Sequential):
        return list(model.named_children())
    told: Callable[[], Iterable[tuple[str, nn.Module]]] | None = getattr(model, "sequence", None)
    return list(told()) if told is not None else []
