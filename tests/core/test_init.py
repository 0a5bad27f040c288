"""The first weights."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from sweeper.config.files import config_from_tree
from sweeper.config.schema import Cnn, Init, Mlp, Model, Rnn, Transformer
from sweeper.core import models
from sweeper.core.batches import Resident
from sweeper.core.init import draw, fresh, initialise, xavier_uniform
from sweeper.data.dataset import Dataset


def generator(seed: int = 0) -> torch.Generator:
    """A fresh one."""
    return torch.Generator().manual_seed(seed)


def drawn(config: Model, shape: tuple[int, ...], outputs: int, seed: int = 0, tokens: int = 0, **init: Any) -> nn.Module:
    """A network with its weights."""
    net = models.build(config, shape, outputs, tokens)
    initialise(net, config, generator(seed), Init(**init))
    return net


def linears(net: nn.Module) -> list[nn.Linear]:
    """The linear layers in order."""
    return [module for module in net.modules() if isinstance(module, nn.Linear)]


@pytest.mark.parametrize(
    ("scheme", "bound", "std"),
    [
        ("xavier_uniform", 0.0884, 0.0510),
        ("xavier_normal", None, 0.0510),
        ("he_uniform", 0.1082, 0.0625),
        ("he_normal", None, 0.0625),
        ("lecun_uniform", 0.0765, 0.0442),
        ("lecun_normal", None, 0.0442),
    ],
)
def test_schemes_have_the_oracles_bound_and_spread(scheme: str, bound: float | None, std: float) -> None:
    """512 to 256: variances 2 / 768 for Xavier, 2 / 512 for He, 1 / 512 for LeCun."""
    weight = torch.empty(256, 512)
    draw(weight, scheme, generator())
    assert weight.std().item() == pytest.approx(std, abs=3e-4)
    assert weight.mean().item() == pytest.approx(0.0, abs=1e-3)
    if bound is not None:
        assert weight.abs().max().item() == pytest.approx(bound, abs=2e-4)
    else:
        assert weight.abs().max().item() > 3.5 * std


def test_the_gain_scales_xavier() -> None:
    """A tenth of the bound."""
    weight = torch.empty(256, 512)
    xavier_uniform(weight, generator(), 0.1)
    assert weight.abs().max().item() == pytest.approx(0.00884, abs=2e-5)


def test_orthogonal_rows_are_orthonormal() -> None:
    """W @ W.T is the identity."""
    weight = torch.empty(16, 40)
    draw(weight, "orthogonal", generator())
    assert torch.allclose(weight @ weight.T, torch.eye(16), atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "variance"),
    [("relu", 2 / 512), ("gelu", 2 / 512), ("tanh", 2 / (512 + 256)), ("sigmoid", 2 / (512 + 256)), ("selu", 1 / 512)],
)
def test_hidden_layers_follow_the_activation_and_the_output_is_xavier(activation: str, variance: float) -> None:
    """He for the ReLU family, Xavier for tanh and sigmoid, LeCun for SELU; the output is Xavier times the head gain; biases are zero."""
    net = drawn(Mlp(width=256, depth=1, activation=activation), (512,), 64)  # type: ignore[arg-type]
    hidden, output = linears(net)
    assert hidden.weight.var().item() == pytest.approx(variance, rel=0.02)
    assert output.weight.std().item() == pytest.approx(0.1 * math.sqrt(2 / (256 + 64)), rel=0.02)
    assert not hidden.bias.any()
    assert not output.bias.any()


def test_a_scheme_that_is_named_beats_the_activation_and_leaves_the_output_xavier() -> None:
    """LeCun under ReLU; the head follows its own gain."""
    hidden, output = linears(drawn(Mlp(width=256, depth=1), (512,), 64, scheme="lecun_normal", head_gain=0.5))
    assert hidden.weight.var().item() == pytest.approx(1 / 512, rel=0.02)
    assert output.weight.std().item() == pytest.approx(0.5 * math.sqrt(2 / (256 + 64)), rel=0.02)


def test_a_head_gain_of_zero_gives_zero_outputs() -> None:
    """And the loss of a uniform guess to the last digit."""
    net = drawn(Mlp(), (4,), 3, head_gain=0.0)
    assert not net(torch.randn(5, 4)).any()


def test_convolutions_use_fan_out() -> None:
    """A convolution's variance is 2 over its outgoing connections; under LeCun it is 1 over the incoming ones."""
    for init, variance in (({}, 2 / (64 * 9)), ({"scheme": "lecun_uniform"}, 1 / (8 * 9))):
        net = drawn(Cnn(channels=64, depth=1, kernel=3), (8, 8, 8), 10, **init)
        convolution = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
        assert convolution.weight.var().item() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_weights_are_orthogonal_and_input_weights_xavier_gate_by_gate(cell: str) -> None:
    """Each gate's matrix counts by itself; all biases are zero."""
    net = drawn(Rnn(cell=cell, width=64), (8, 128), 10)  # type: ignore[arg-type]
    layer = next(module for module in net.modules() if isinstance(module, nn.RNNBase))
    parameters = dict(layer.named_parameters())
    for gate in parameters["weight_hh_l0"].split(64):
        assert torch.allclose(gate @ gate.T, torch.eye(64), atol=1e-5)
    for gate in parameters["weight_ih_l0"].split(64):
        assert gate.var().item() == pytest.approx(2 / (64 + 128), rel=0.05)
    assert not parameters["bias_ih_l0"].any()
    assert not parameters["bias_hh_l0"].any()


def test_a_transformers_projections_are_xavier_and_what_an_activation_follows_is_he() -> None:
    """Embeddings and positions are normal(0, 0.02), and padding is zero."""
    net = drawn(Transformer(width=128, depth=1), (40,), 10, tokens=500)
    weights = {name: weight for name, weight in net.named_parameters() if weight.ndim == 2}
    for name, variance in {
        "layers.0.attention.project": 2 / (128 + 384),
        "layers.0.attention.merge": 2 / (128 + 128),
        "layers.0.feed_forward.up": 2 / 128,
        "layers.0.feed_forward.down": 2 / (128 + 512),
        "positions": 0.02**2,
        "embedding": 0.02**2,
    }.items():
        assert weights[f"{name}.weight"].var().item() == pytest.approx(variance, rel=0.06), name
    assert not weights["embedding.weight"][0].any()


FAMILIES: list[Model] = [
    Mlp(),
    Mlp(norm="batch"),
    Mlp(activation="tanh", norm="layer"),
    Mlp(activation="selu", widths=[128, 64, 32]),
    Mlp(activation="sigmoid"),
    Cnn(channels=8),
    Cnn(channels=8, residual=True, depth=3),
    Cnn(channels=8, residual=True, norm="none", global_pooling=True, pooling="avg"),
    Rnn(),
    Rnn(cell="lstm", bidirectional=True, depth=2, pooling="mean"),
    Transformer(),
    Transformer(patch=None, pooling="class", depth=4),
]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("config", FAMILIES, ids=str)
def test_a_fresh_classifier_starts_at_the_loss_of_a_uniform_guess(config: Model, seed: int) -> None:
    """Cross-entropy in evaluation mode is ln(10) within 0.1."""
    net = drawn(config, (1, 8, 8), 10, seed).eval()
    x = torch.randn(300, 1, 8, 8, generator=generator(seed))
    y = torch.randint(10, (300,), generator=generator(seed))
    assert functional.cross_entropy(net(x), y).item() == pytest.approx(math.log(10), abs=0.1)


@pytest.mark.parametrize("config", [Rnn(), Transformer()], ids=str)
def test_a_fresh_classifier_of_texts_starts_there_too(config: Model) -> None:
    """ln(4) within 0.1."""
    net = drawn(config, (12,), 4, tokens=100).eval()
    x, y = torch.randint(1, 100, (300, 12), generator=generator()), torch.randint(4, (300,), generator=generator())
    assert functional.cross_entropy(net(x), y).item() == pytest.approx(math.log(4), abs=0.1)


@pytest.mark.parametrize("config", FAMILIES, ids=str)
def test_the_weights_are_a_function_of_the_seed(digits: Dataset, config: Model) -> None:
    """The same seed draws the same weights whatever torch's own generator did; another seed draws others; torch's own is left alone."""
    data = Resident.of(digits, torch.device("cpu"))
    complete = config_from_tree({"name": "test", "model": config.model_dump()})
    first = fresh(complete, data, 1).state_dict()
    before = torch.get_rng_state()
    again, other = fresh(complete, data, 1).state_dict(), fresh(complete, data, 2).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["output.weight"], other["output.weight"])
    drawn_here = {name for name, tensor in first.items() if tensor.is_floating_point() and tensor.ndim > 1}
    assert all(not torch.equal(first[name], other[name]) for name in drawn_here)
