"""The first weights of a model: by activation, or by the scheme that the config names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import nn

from sweeper.config.schema import Activation, Config, Custom, Init, Model
from sweeper.core import models, seeds
from sweeper.core.batches import Resident
from sweeper.core.models.parts import NORMS

ACTIVATION_SCHEMES = {"tanh": "xavier_uniform", "sigmoid": "xavier_uniform", "selu": "lecun_normal"}
"""What ``auto`` takes for an activation; ``he_uniform`` for all others, which are relatives of ReLU."""

EMBEDDING_STD = 0.02
"""Of embeddings and positions, as in BERT and GPT-2."""


def fresh(config: Config, data: Resident, seed: int) -> nn.Module:
    """The network of a config, on the CPU, with the weights that belong to a seed.

    Args:
        config: complete.
        data: says the shape of a row and the number of outputs.
        seed: the trial's.

    Raises:
        InputError: the model cannot take rows of this shape, or a custom one cannot be built.
    """
    own = isinstance(config.model, Custom)  # its function draws from the default generators
    with seeds.sown(seeds.key(seed, seeds.Stream.INIT), torch.device("cpu")) if own else nullcontext():
        model = models.build(config.model, data.input_shape, data.outputs, data.tokens)
    initialise(model, config.model, seeds.generator(seed, seeds.Stream.INIT), config.init)
    return model


@torch.no_grad()
def initialise(model: nn.Module, config: Model, generator: torch.Generator, init: Init = Init()) -> None:  # noqa: B008 - frozen
    """Draws every weight of the model anew; biases become zero, norm layers one and zero.

    Variances are 2 / (fan_in + fan_out) for Xavier (Glorot & Bengio, 2010; the 1 / fan_in that some texts call Xavier is ``lecun`` here),
    2 / fan for He (He et al., 2015; fan_in for linear layers, fan_out for convolutions) and 1 / fan_in for LeCun (LeCun et al., 1998;
    Klambauer et al., 2017 for SELU). The last linear layer is the output layer: Xavier times ``init.head_gain`` under any scheme.
    Layers that a module names in ``no_activation``, such as the projections of attention, are Xavier under ``auto``; so are the input
    weights of recurrent layers, gate by gate, whose recurrent weights are orthogonal (Saxe et al., 2014). Embeddings are normal(0, 0.02).

    A custom model under ``auto`` is left as it is: its function may have loaded weights, or know better.

    Args:
        model: on the CPU.
        config: what it was built from.
        generator: on the CPU; advanced in the order of ``model.modules()``.
        init: the config's section.
    """
    if isinstance(config, Custom) and init.scheme == "auto":
        return
    hidden = init.scheme if init.scheme != "auto" else _by_activation(getattr(config, "activation", "relu"))
    straight = init.scheme if init.scheme != "auto" else "xavier_uniform"
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    unbent = {id(layer) for layer in _no_activation(model)}
    for module in model.modules():
        match module:
            case nn.Linear() if module is linear[-1]:
                xavier_uniform(module.weight, generator, init.head_gain)
            case nn.Linear() | nn.Conv1d() | nn.Conv2d() | nn.Conv3d():
                draw(module.weight, straight if id(module) in unbent else hidden, generator)
            case nn.GRU() | nn.LSTM() | nn.RNN():
                _recurrent(module, straight, generator)
            case nn.Embedding():
                nn.init.normal_(module.weight, std=EMBEDDING_STD, generator=generator)
                if module.padding_idx is not None:
                    nn.init.zeros_(module.weight[module.padding_idx])
            case _ if isinstance(module, NORMS):
                module.reset_parameters()
        bias = getattr(module, "bias", None)
        if isinstance(bias, torch.Tensor) and not isinstance(module, NORMS):
            nn.init.zeros_(bias)


def draw(weight: torch.Tensor, scheme: str, generator: torch.Generator) -> None:
    """Fills a weight ``[out, in, ...]`` by a scheme's name: ``xavier_uniform``, ``he_normal``, ``lecun_normal``, ``orthogonal``, ..."""
    family, _, kind = scheme.partition("_")
    if family == "orthogonal":
        nn.init.orthogonal_(weight, generator=generator)
    elif scheme == "xavier_uniform":
        xavier_uniform(weight, generator)
    elif scheme == "xavier_normal":
        nn.init.xavier_normal_(weight, generator=generator)
    else:
        convolution = weight.ndim > 2 and family == "he"
        fan = weight.shape[0] * weight[0, 0].numel() if convolution else weight[0].numel()
        gain = 2.0 if family == "he" else 1.0  # variance times fan
        if kind == "uniform":
            bound = math.sqrt(3.0 * gain / fan)
            nn.init.uniform_(weight, -bound, bound, generator=generator)
        else:
            nn.init.normal_(weight, std=math.sqrt(gain / fan), generator=generator)


def xavier_uniform(weight: torch.Tensor, generator: torch.Generator, gain: float = 1.0) -> None:
    """Fills with U(-b, b), b = gain * sqrt(6 / (fan_in + fan_out))."""
    nn.init.xavier_uniform_(weight, gain=gain, generator=generator)


def _by_activation(activation: Activation) -> str:
    return ACTIVATION_SCHEMES.get(activation, "he_uniform")


def _no_activation(model: nn.Module) -> Iterator[nn.Module]:
    """The layers whose outputs no activation bends, as their modules say."""
    for module in model.modules():
        yield from (getattr(module, name) for name in getattr(module, "no_activation", ()))


def _recurrent(module: nn.RNNBase, scheme: str, generator: torch.Generator) -> None:
    """Each gate's matrix by itself; all biases zero."""
    for name, parameter in module.named_parameters():
        if parameter.ndim == 1:
            nn.init.zeros_(parameter)
            continue
        for gate in torch.split(parameter, module.hidden_size):
            draw(gate, "orthogonal" if name.startswith("weight_hh") else scheme, generator)
