"""Pieces that the model families share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from sweeper.config.schema import Activation
from sweeper.errors import InputError

ACTIVATIONS: Mapping[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
}

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
"""Layers whose weights are scales and shifts, and which compute in float32 whatever the precision."""


def activation(name: Activation) -> nn.Module:
    """A fresh activation module with torch's default parameters."""
    return ACTIVATIONS[name]()


def refused(family: str, wanted: str, input_shape: tuple[int, ...], tokens: int, allowed: str, hint: str) -> InputError:
    """The error of a family that cannot take rows of this shape."""
    rows = f"a row of this data is {input_shape[0]} tokens" if tokens else f"a row of this data has shape {list(input_shape)}"
    return InputError.of("config", "model.family", f"{family} needs {wanted}, but {rows}", allowed, hint)


def steps_of(input_shape: tuple[int, ...]) -> tuple[int, int]:
    """How many steps a row has when it is read as a series, and how many numbers each: an image's steps are its rows."""
    if len(input_shape) == 2:
        return input_shape[0], input_shape[1]
    channels, height, width = input_shape
    return height, channels * width


def as_series(x: torch.Tensor) -> torch.Tensor:
    """Series ``[n, time, features]`` as they are; images ``[n, channels, height, width]`` as ``[n, height, channels * width]``."""
    return x if x.ndim == 3 else x.transpose(1, 2).flatten(2)


def lengths(ids: torch.Tensor) -> torch.Tensor:
    """How many steps of each text count: up to the last token that is no padding, at least one; int64 ``[n]``.

    Args:
        ids: tokens ``[n, length]``; 0 is padding.
    """
    places = torch.arange(1, ids.shape[1] + 1, device=ids.device)
    return ((ids != 0) * places).amax(1).clamp(min=1)


def mean_of(states: torch.Tensor, length: torch.Tensor | None) -> torch.Tensor:
    """The mean over the steps that count, ``[n, width]``, of ``[n, time, width]``."""
    if length is None:
        return states.mean(1)
    counts = torch.arange(states.shape[1], device=states.device) < length.unsqueeze(1)
    return (states * counts.unsqueeze(2)).sum(1) / length.unsqueeze(1)
