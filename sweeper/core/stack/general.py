"""K models of any kind as one function, by ``torch.func.vmap``."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import zip_longest

import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from sweeper.core.dropout import dropouts
from sweeper.core.models import lent
from sweeper.core.models.parts import NORMS
from sweeper.core.monitor import tapped
from sweeper.core.stack.layers import Pass, Tensors
from sweeper.core.stack.masks import Drop
from sweeper.core.stack.sequence import LossGradient


class GeneralForward:
    """``model`` with K sets of parameters and buffers.

    Autocast is no help here: under ``vmap`` a linear layer with a bias silently computes in float32 (PyTorch issue 192617). So
    parameters and inputs are cast to ``dtype`` and the outputs are what the model makes of that; norm layers compute in float32.

    Args:
        model: of the shape; it is copied without its values.
        met: its dropout layers in the order in which a row passes them.
        dtype: of parameters and inputs.
        map_one: whether a single set is mapped too, so that it gives about the bits of many; torch's kernels for one model are faster.
    """

    row_unit = 1
    flat = False

    def __init__(self, model: nn.Module, met: Sequence[Drop], dtype: torch.dtype, *, map_one: bool = True) -> None:
        self._map_one = map_one
        self._model = copy.deepcopy(model).to("meta")
        layers = dropouts(self._model)
        for layer in layers:
            layer.p = 0.0  # what a lane drops is in its masks
        self._dropouts = [layers[drop.layer] for drop in met]
        self._dtype = dtype
        norms = [(name, module) for name, module in self._model.named_modules() if isinstance(module, NORMS)]
        self._exact = {f"{name}.{parameter}" for name, module in norms for parameter, _ in module.named_parameters()}
        for _, norm in norms:
            norm.register_forward_pre_hook(lambda _module, inputs: (inputs[0].float(),))
            norm.register_forward_hook(lambda _module, _inputs, out: out.to(dtype))

    def __call__(self, x: torch.Tensor, this: Pass) -> torch.Tensor:
        """See ``sweeper.core.stack.sequence.Forward``."""
        self._model.train(this.training)
        leaves = self._leaves(this)
        if len(x) == 1 and not self._map_one:
            (row,) = self._cast(x, this)
            return self._one(_first(leaves), _first(this.buffers), _channels_last(row), [mask[0] for mask in this.masks]).unsqueeze(0)
        with _attention(x.device):
            out: torch.Tensor = vmap(self._one)(leaves, dict(this.buffers), self._cast(x, this), list(this.masks))
        return out

    def differentiate(self, x: torch.Tensor, this: Pass, by: LossGradient) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """See ``sweeper.core.stack.sequence.Forward``."""
        outputs = self(x, this)
        gradient = by(outputs.detach()).to(outputs.dtype)
        return outputs.detach(), torch.autograd.grad(outputs, list(this.leaves.values()), gradient)

    def activations(self, x: torch.Tensor, this: Pass) -> list[torch.Tensor]:
        """See ``sweeper.core.stack.sequence.Forward``."""
        with tapped(self._model) as found:

            def one(leaves: Tensors, buffers: Tensors, rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
                found.clear()
                # The model's own output goes along: a model without activations would leave nothing to map.
                return self._one(leaves, buffers, rows, []), *found

            self._model.train(this.training)
            if len(x) == 1 and not self._map_one:
                one(_first(self._leaves(this)), _first(this.buffers), self._cast(x, this)[0])
                return [layer.unsqueeze(0) for layer in found]
            with _attention(x.device):
                mapped: tuple[torch.Tensor, ...] = vmap(one)(self._leaves(this), dict(this.buffers), self._cast(x, this))
        return list(mapped[1:])

    def _leaves(self, this: Pass) -> dict[str, torch.Tensor]:
        """Parameters in the stack's precision; those of norms as they are."""
        return {name: leaf if name in self._exact else leaf.to(self._dtype) for name, leaf in this.leaves.items()}

    def _cast(self, x: torch.Tensor, this: Pass) -> torch.Tensor:
        """Numbers in the stack's precision; tokens as they are. In evaluation all lanes share the rows."""
        x = x if this.training else lent(x, self._model)
        return x.to(self._dtype) if x.is_floating_point() else x

    def _one(self, leaves: Tensors, buffers: Tensors, x: torch.Tensor, masks: Sequence[torch.Tensor]) -> torch.Tensor:
        for dropout, mask in zip_longest(self._dropouts, masks):
            dropout.mask = None if mask is None else mask.to(x.dtype)
        out: torch.Tensor = functional_call(self._model, (dict(leaves), dict(buffers)), (x,))
        return out


def _first(tensors: Tensors) -> dict[str, torch.Tensor]:
    return {name: tensor[0] for name, tensor in tensors.items()}


def _channels_last(x: torch.Tensor) -> torch.Tensor:
    """Images [n, channels, height, width] as tensor cores take them, on a GPU."""
    return x.to(memory_format=torch.channels_last) if x.ndim == 4 and x.device.type == "cuda" else x


def _attention(device: torch.device) -> AbstractContextManager[None]:
    """Attention as plain products on a CPU: of torch's fused kernel for it, vmap would take one lane after another."""
    found: AbstractContextManager[None] = sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()
    return found
