"""Layers of K models as batched operations, each with its own backward pass.

Without autograd's graph a step of small nets spends less on calls than on products (docs/decisions.md). A gradient comes to a layer in
the type of the layer's output and leaves it in any; ``SequenceForward`` sees to the type.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from torch import nn

from sweeper.core.stack.slabs import ALIGN

Tensors: TypeAlias = Mapping[str, torch.Tensor]

Kept: TypeAlias = tuple[torch.Tensor, ...]
"""What a layer's backward pass needs of its forward pass."""

aten = torch.ops.aten


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


class Layer(Protocol):
    """One layer of K models."""

    def forward(self, x: torch.Tensor, this: Pass) -> tuple[torch.Tensor, Kept]:
        """The output for ``x`` [K, rows, ...], which is not changed."""

    def backward(self, gradient: torch.Tensor, kept: Kept, rows: int) -> tuple[torch.Tensor, Tensors]:
        """The gradients by ``x`` and, by name, by the layer's parameters; ``gradient`` is not changed."""


def matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """[K, n, m] @ [K, m, o]. The same bits for a lane whatever K is, which ``torch.bmm`` alone does not give for odd sizes."""
    n, m, o = a.shape[1], a.shape[2], b.shape[2]
    # The library chooses its kernel by the sizes and by where a lane's part of the result begins. Vectors, and results whose
    # lanes begin at odd addresses, would make that depend on K or on the lane; so does sharing the work among threads.
    if a.device.type != "cpu" or (torch.get_num_threads() == 1 and min(n, m, o) > 1 and n * o % (ALIGN // 2) == 0):
        return torch.bmm(a, b)
    return torch.stack([torch.mm(one, other) for one, other in zip(a, b, strict=True)])


class Linear:
    """``x @ w.T + b``.

    Args:
        name: in the model.
        module: of one model.
        dtype: of the products.
        first: whether nothing before it wants a gradient.
    """

    def __init__(self, name: str, module: nn.Linear, dtype: torch.dtype, *, first: bool) -> None:
        self._weight, self._bias = f"{name}.weight", f"{name}.bias" if module.bias is not None else None
        self._dtype, self._first = dtype, first

    def forward(self, x: torch.Tensor, this: Pass) -> tuple[torch.Tensor, Kept]:
        """See ``Layer``."""
        x, weight = x.to(self._dtype), this.leaves[self._weight].to(self._dtype)
        out = matmul(x, weight.transpose(1, 2))
        if self._bias is not None:
            out.add_(this.leaves[self._bias].to(self._dtype).unsqueeze(1))
        return out, (x, weight)

    def backward(self, gradient: torch.Tensor, kept: Kept, rows: int) -> tuple[torch.Tensor, Tensors]:  # noqa: ARG002 - padding adds zeros
        """See ``Layer``."""
        x, weight = kept
        found = {self._weight: matmul(gradient.transpose(1, 2), x)}
        if self._bias is not None:
            found[self._bias] = gradient.sum(1)
        return gradient if self._first else matmul(gradient, weight), found


class BatchNorm:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the real rows of each lane; padded rows carry no gradient.

    The two sums that the weights' gradients are serve that of ``x`` too.
    """

    def __init__(self, name: str, module: nn.BatchNorm1d) -> None:
        self._name, self._eps = name, module.eps
        self._momentum = module.momentum if module.momentum is not None else 0.1

    def forward(self, x: torch.Tensor, this: Pass) -> tuple[torch.Tensor, Kept]:
        """See ``Layer``."""
        running = [this.buffers[f"{self._name}.running_{part}"].unsqueeze(1) for part in ("mean", "var")]
        weight, bias = (this.leaves[f"{self._name}.{part}"].unsqueeze(1) for part in ("weight", "bias"))
        x, rows = x.float(), this.rows
        if not this.training:
            return torch.addcmul(bias, (x - running[0]) * torch.rsqrt(running[1] + self._eps), weight), ()
        mean = x[:, :rows].mean(1, keepdim=True)
        out = x - mean
        # Not var_mean, whose careful one-pass sum over rows takes longer than all the rest.
        var = out[:, :rows].square().mean(1, keepdim=True)
        spread = torch.rsqrt(var + self._eps)
        out.mul_(spread)
        if rows < x.shape[1]:
            out[:, rows:] = 0.0
        running[0].lerp_(mean, self._momentum)
        running[1].lerp_(var * (rows / (rows - 1)), self._momentum)
        this.buffers[f"{self._name}.num_batches_tracked"].add_(1)
        return torch.addcmul(bias, out, weight), (out, spread, weight)

    def backward(self, gradient: torch.Tensor, kept: Kept, rows: int) -> tuple[torch.Tensor, Tensors]:
        """See ``Layer``."""
        out, spread, weight = kept
        for_bias = gradient[:, :rows].sum(1, keepdim=True)
        for_weight = (gradient[:, :rows] * out[:, :rows]).sum(1, keepdim=True)
        for_x = torch.addcmul(gradient - for_bias / rows, out, for_weight / rows, value=-1.0).mul_(spread * weight)
        if rows < out.shape[1]:
            for_x[:, rows:] = 0.0
        return for_x, {f"{self._name}.weight": for_weight.squeeze(1), f"{self._name}.bias": for_bias.squeeze(1)}


class LayerNorm:
    """``nn.LayerNorm`` over the last axis, with each lane's weight and bias."""

    def __init__(self, name: str, module: nn.LayerNorm) -> None:
        self._name, self._eps, self._shape = name, module.eps, list(module.normalized_shape)

    def forward(self, x: torch.Tensor, this: Pass) -> tuple[torch.Tensor, Kept]:
        """See ``Layer``."""
        weight, bias = (this.leaves[f"{self._name}.{part}"].unsqueeze(1) for part in ("weight", "bias"))
        x = x.float()
        out, mean, spread = torch.native_layer_norm(x, self._shape, None, None, self._eps)
        return torch.addcmul(bias, out, weight), (x, mean, spread, out, weight)

    def backward(self, gradient: torch.Tensor, kept: Kept, rows: int) -> tuple[torch.Tensor, Tensors]:  # noqa: ARG002 - padding adds zeros
        """See ``Layer``."""
        x, mean, spread, out, weight = kept
        found = {f"{self._name}.weight": (gradient * out).sum(1), f"{self._name}.bias": gradient.sum(1)}
        wanted = [True, False, False]
        for_x = aten.native_layer_norm_backward(gradient * weight, x, self._shape, mean, spread, None, None, wanted)[0]
        return for_x, found


class Masked:
    """Dropout by the masks of the pass.

    Args:
        position: among the model's dropout layers.
    """

    def __init__(self, position: int) -> None:
        self._position = position

    def forward(self, x: torch.Tensor, this: Pass) -> tuple[torch.Tensor, Kept]:
        """See ``Layer``."""
        if not this.masks:
            return x, ()
        mask = this.masks[self._position]
        return x * mask, (mask,)

    def backward(self, gradient: torch.Tensor, kept: Kept, rows: int) -> tuple[torch.Tensor, Tensors]:  # noqa: ARG002 - padding is masked
        """See ``Layer``."""
        return (gradient * kept[0] if kept else gradient), {}


Slope: TypeAlias = Callable[[Any, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Of an activation module: the gradient by its input, given that by its output, its input and its output."""

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
"""Klambauer et al., 2017; as ``torch.selu`` has them."""

SLOPES: Mapping[type[nn.Module], Slope] = {
    nn.ReLU: lambda _module, gradient, _x, out: aten.threshold_backward(gradient, out, 0),
    nn.GELU: lambda module, gradient, x, _out: aten.gelu_backward(gradient, x, approximate=module.approximate),
    nn.SiLU: lambda _module, gradient, x, _out: aten.silu_backward(gradient, x),
    nn.Tanh: lambda _module, gradient, _x, out: aten.tanh_backward(gradient, out),
    nn.Sigmoid: lambda _module, gradient, _x, out: aten.sigmoid_backward(gradient, out),
    nn.LeakyReLU: lambda module, gradient, x, _out: aten.leaky_relu_backward(gradient, x, module.negative_slope, False),
    nn.ELU: lambda module, gradient, x, _out: aten.elu_backward(gradient, module.alpha, 1, 1, False, x),
    nn.SELU: lambda _module, gradient, x, _out: aten.elu_backward(gradient, SELU_ALPHA, SELU_SCALE, 1, False, x),
}
"""By torch's own kernels, which autograd would call."""


class Activation:
    """An activation function, never in place."""

    def __init__(self, module: Any) -> None:
        self._module = copy.copy(module)
        if getattr(module, "inplace", False):
            self._module.inplace = False
        self._slope = SLOPES[type(module)]

    def forward(self, x: torch.Tensor, this: Pass) -> tuple[torch.Tensor, Kept]:  # noqa: ARG002 - the same in training
        """See ``Layer``."""
        out: torch.Tensor = self._module(x)
        return out, (x, out)

    def backward(self, gradient: torch.Tensor, kept: Kept, rows: int) -> tuple[torch.Tensor, Tensors]:  # noqa: ARG002 - one by one
        """See ``Layer``."""
        return self._slope(self._module, gradient, *kept), {}
