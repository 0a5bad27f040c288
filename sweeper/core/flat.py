"""A model's parameters and gradients as vectors: one kernel where there would be one per tensor."""

from __future__ import annotations

import warnings
from typing import Protocol

import torch
from torch import nn

# On a GPU recurrent layers copy their weights together at every call, unless they lie in a piece of their own: no news to a user.
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk of memory")

HIDDEN = (nn.Linear, nn.RNNBase, nn.MultiheadAttention)
"""Layers whose matrices map features to features."""


class Parameters(Protocol):
    """A model's trainable parameters as the step sees them, whoever holds them.

    Attributes:
        values: float32 ``[n]``, all parameters of this process.
        gradient: float32 ``[n]``, of the same.
        decayed: what is decayed: one parameter, or several.
        plain: biases and norms, which no optimizer decays: one parameter, or several.
        hidden: of those in ``decayed`` the matrices of hidden layers.
        outer: the others in ``decayed``.
    """

    gradient: torch.Tensor
    hidden: list[nn.Parameter]
    outer: list[nn.Parameter]

    @property
    def decayed(self) -> nn.Parameter | list[nn.Parameter]:
        """See the class."""

    @property
    def plain(self) -> nn.Parameter | list[nn.Parameter]:
        """See the class."""

    @property
    def values(self) -> torch.Tensor:
        """See the class."""

    @property
    def count(self) -> int:
        """How many numbers training changes, in all processes together."""

    def collect(self) -> None:
        """Brings what ``backward`` has left into ``gradient``."""

    def norm(self, vector: torch.Tensor) -> torch.Tensor:
        """The Euclidean norm of something like ``gradient``, of all processes together."""


class Flat:
    """Moves a model's trainable parameters into one vector and their gradients into another; the model goes on with views of them.

    Clearing, measuring, clipping and stepping are then a kernel or two however many tensors the model has: on one CPU thread a
    step of a 64-128-128-10 MLP takes three quarters of the time (docs/decisions.md). Build it when the model is on its device.

    Args:
        model: its parameters must not be replaced afterwards (copying values into them is fine).

    Attributes:
        values: float32 ``[n]``, all parameters.
        gradient: float32 ``[n]``, of all parameters; ``backward`` adds to it.
        decayed: matrices and kernels, as one parameter ``[m]`` whose gradient is part of ``gradient``.
        plain: biases and norms, which no optimizer decays, as one parameter ``[n - m]``.
        hidden: the parameters in ``decayed`` that are matrices of hidden layers: of dense, recurrent and attention layers, without the
            output layer (the last dense layer).
        outer: the other parameters in ``decayed``: embeddings, kernels, the output layer.
    """

    def __init__(self, model: nn.Module) -> None:
        parameters = [p for p in model.parameters() if p.requires_grad]
        parameters.sort(key=lambda p: p.ndim <= 1)
        sizes = [p.numel() for p in parameters]
        values = torch.cat([_ordered(p.detach()).reshape(-1) for p in parameters])
        self.values = values
        self.gradient = torch.zeros_like(values)
        for parameter, value, gradient in zip(parameters, torch.split(values, sizes), torch.split(self.gradient, sizes), strict=True):
            parameter.data = _shaped(value, parameter)
            parameter.grad = _shaped(gradient, parameter)
        decayed = sum(p.numel() for p in parameters if p.ndim > 1)
        self.decayed, self.plain = nn.Parameter(values[:decayed]), nn.Parameter(values[decayed:])
        self.decayed.grad, self.plain.grad = self.gradient[:decayed], self.gradient[decayed:]
        hidden = _hidden(model)
        self.hidden = [p for p in parameters if id(p) in hidden]
        self.outer = [p for p in parameters if p.ndim > 1 and id(p) not in hidden]

    @property
    def count(self) -> int:
        """See ``Parameters.count``."""
        return self.values.numel()

    def collect(self) -> None:
        """Nothing to do: ``backward`` has added to ``gradient`` itself."""

    def norm(self, vector: torch.Tensor) -> torch.Tensor:
        """See ``Parameters.norm``."""
        found: torch.Tensor = torch.linalg.vector_norm(vector)
        return found


def _channels_last(parameter: torch.Tensor) -> bool:
    """Whether a convolution's kernel lies in memory with its channels last, which is how tensor cores of a GPU take it."""
    return parameter.ndim == 4 and parameter.device.type == "cuda"


def _ordered(parameter: torch.Tensor) -> torch.Tensor:
    """The parameter with its axes as they lie in the vector."""
    return parameter.permute(0, 2, 3, 1) if _channels_last(parameter) else parameter


def _shaped(vector: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """A piece of the vector as a tensor like the parameter."""
    if not _channels_last(parameter):
        return vector.view_as(parameter)
    return vector.view(_ordered(parameter).shape).permute(0, 3, 1, 2)


def _hidden(model: nn.Module) -> set[int]:
    """Ids of the matrices of hidden layers."""
    dense = [module for module in model.modules() if isinstance(module, nn.Linear)]
    layers = [module for module in model.modules() if isinstance(module, HIDDEN) and module not in dense[-1:]]
    return {id(p) for layer in layers for p in layer.parameters(recurse=False) if p.ndim == 2}
