"""Weights by activation: He for the ReLU family, Xavier for tanh and for every output layer."""

from __future__ import annotations

import math

import torch
from torch import nn

from sweeper.config.schema import Activation

HEAD_GAIN = 0.1
"""Scales the output layer, so that a fresh C-way classifier starts within 0.1 of ln(C)."""


def he_uniform(weight: torch.Tensor, fan: int, generator: torch.Generator) -> None:
    """Fills with U(-b, b), b = sqrt(6 / fan), variance 2 / fan (He et al., 2015)."""
    bound = math.sqrt(6.0 / fan)
    nn.init.uniform_(weight, -bound, bound, generator=generator)


def xavier_uniform(weight: torch.Tensor, generator: torch.Generator, gain: float = 1.0) -> None:
    """Fills with U(-b, b), b = gain * sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio, 2010)."""
    nn.init.xavier_uniform_(weight, gain=gain, generator=generator)


def initialise(model: nn.Module, activation: Activation, generator: torch.Generator) -> None:
    """Draws every weight of the model anew; biases become zero, norm layers one and zero.

    The last linear layer is the output layer. Linear layers use fan_in, convolutions fan_out.

    Args:
        model: on the CPU.
        activation: what follows the hidden layers.
        generator: on the CPU; advanced in the order of ``model.modules()``.
    """
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            if linear and module is linear[-1]:
                xavier_uniform(module.weight, generator, HEAD_GAIN)
            elif activation == "tanh":
                xavier_uniform(module.weight, generator)
            elif isinstance(module, nn.Conv2d):
                he_uniform(module.weight, module.weight.shape[0] * module.weight[0, 0].numel(), generator)
            else:
                he_uniform(module.weight, module.weight.shape[1], generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.modules.batchnorm._BatchNorm | nn.LayerNorm):
            module.reset_parameters()
