"""Pieces that the model families share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from sweeper.config.schema import Activation

ACTIVATIONS: Mapping[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
}


def activation(name: Activation) -> nn.Module:
    """A fresh activation module with torch's default parameters."""
    return ACTIVATIONS[name]()
