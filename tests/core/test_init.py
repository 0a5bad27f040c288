"""Weights by activation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from sweeper.config.schema import Cnn, Mlp
from sweeper.core import models
from sweeper.core.init import HEAD_GAIN, he_uniform, initialise, xavier_uniform


def drawn(config: Mlp | Cnn, shape: tuple[int, ...], outputs: int, seed: int = 0) -> nn.Module:
    """A network with its weights."""
    net = models.build(config, shape, outputs)
    initialise(net, config.activation, torch.Generator().manual_seed(seed))
    return net


def test_he_and_xavier_have_the_oracles_bound_and_spread() -> None:
    """512 to 256: Xavier bound 0.0884 and deviation 0.0510, He bound 0.1082 and deviation 0.0625."""
    weight, generator = torch.empty(256, 512), torch.Generator().manual_seed(0)
    xavier_uniform(weight, generator)
    assert weight.abs().max().item() == pytest.approx(0.0884, abs=1e-4)
    assert weight.std().item() == pytest.approx(0.0510, abs=2e-4)
    he_uniform(weight, 512, generator)
    assert weight.abs().max().item() == pytest.approx(0.1082, abs=2e-4)
    assert weight.std().item() == pytest.approx(0.0625, abs=2e-4)


@pytest.mark.parametrize(("activation", "variance"), [("relu", 2 / 512), ("gelu", 2 / 512), ("tanh", 2 / (512 + 256))])
def test_hidden_layers_follow_the_activation_and_the_output_is_xavier(activation: str, variance: float) -> None:
    """He for the ReLU family, Xavier for tanh; the output layer is Xavier times the head gain; biases are zero."""
    net = drawn(Mlp(width=256, depth=1, activation=activation), (512,), 64)
    hidden, output = (module for module in net.modules() if isinstance(module, nn.Linear))
    assert hidden.weight.var().item() == pytest.approx(variance, rel=0.02)
    assert output.weight.std().item() == pytest.approx(HEAD_GAIN * math.sqrt(2 / (256 + 64)), rel=0.02)
    assert not hidden.bias.any()
    assert not output.bias.any()


def test_convolutions_use_fan_out() -> None:
    """A convolution's variance is 2 over its outgoing connections."""
    net = drawn(Cnn(channels=64, depth=1, kernel=3), (8, 8, 8), 10)
    convolution = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
    assert convolution.weight.var().item() == pytest.approx(2 / (64 * 9), rel=0.05)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("config", [Mlp(), Mlp(norm="batch"), Mlp(activation="tanh", norm="layer"), Cnn(channels=8)])
def test_a_fresh_classifier_starts_at_the_loss_of_a_uniform_guess(config: Mlp | Cnn, seed: int) -> None:
    """Cross-entropy in evaluation mode is ln(10) within 0.1."""
    net = drawn(config, (1, 8, 8), 10, seed).eval()
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(500, 1, 8, 8, generator=generator), torch.randint(10, (500,), generator=generator)
    assert functional.cross_entropy(net(x), y).item() == pytest.approx(math.log(10), abs=0.1)


def test_the_weights_are_a_function_of_the_generator() -> None:
    """The same seed draws the same weights whatever torch's own generator did; another seed draws others."""
    first = drawn(Mlp(norm="batch"), (4,), 2, 1).state_dict()
    torch.rand(3)
    again, other = drawn(Mlp(norm="batch"), (4,), 2, 1).state_dict(), drawn(Mlp(norm="batch"), (4,), 2, 2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["output.weight"], other["output.weight"])
