"""Optimizers over flat parameters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sweeper.config.schema import AdamW, Sgd
from sweeper.core import optim
from sweeper.core.flat import Flat
from sweeper.errors import InputError


@pytest.mark.parametrize(("lr", "expected"), [(2.0, [-3.0, 9.0, -27.0]), (0.1, [0.8, 0.64, 0.512])])
def test_gradient_descent_on_a_parabola(lr: float, expected: list[float]) -> None:
    """From 1 on x squared: lr 2 explodes, lr 0.1 converges."""
    net = nn.ParameterList([torch.ones(1, 1)])
    flat = Flat(net)
    optimizer = optim.build(Sgd(lr=lr, momentum=0.0, weight_decay=0.0), flat)
    found = []
    for _ in range(3):
        flat.gradient.zero_()
        net[0].square().sum().backward()
        optimizer.step()
        found.append(net[0].item())
    assert found == pytest.approx(expected)


def small(seed: int = 0) -> nn.Module:
    """A network with matrices, biases and norms."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(7, 13), nn.LayerNorm(13), nn.Tanh(), nn.Linear(13, 3))


@pytest.mark.parametrize("config", [AdamW(lr=1e-2, weight_decay=0.3, beta1=0.8), Sgd(lr=1e-1, weight_decay=0.1), Sgd(nesterov=True)])
def test_the_flat_optimizer_is_torchs_own_without_decay_on_biases_and_norms(config: AdamW | Sgd) -> None:
    """Ten steps give what torch's stock optimizer gives over separate tensors, decaying the matrices only."""
    net, stock = small(), small()
    matrices = [p for p in stock.parameters() if p.ndim > 1]
    vectors = [p for p in stock.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if isinstance(config, AdamW):
        reference: torch.optim.Optimizer = torch.optim.AdamW(groups, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps)
    else:
        reference = torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov)
    flat = Flat(net)
    optimizer = optim.build(config, flat)
    x = torch.randn(20, 7)
    for _ in range(10):
        flat.gradient.zero_()
        net(x).square().mean().backward()
        optimizer.step()
        reference.zero_grad()
        stock(x).square().mean().backward()
        reference.step()
    for mine, theirs in zip(net.parameters(), stock.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-5, atol=1e-7)


def test_nesterov_without_momentum_is_refused() -> None:
    """The sentence names the key and both remedies."""
    with pytest.raises(InputError, match=r"optimizer\.nesterov.*momentum above 0"):
        optim.build(Sgd(nesterov=True, momentum=0.0), Flat(small()))


def test_a_flat_model_keeps_values_names_and_gradients() -> None:
    """Flattening changes no output and no state; loading a state reaches the vectors; the gradient is every tensor's gradient."""
    net = small()
    x = torch.randn(4, 7)
    before, state = net(x), {name: value.clone() for name, value in net.state_dict().items()}
    flat = Flat(net)
    assert torch.equal(net(x), before)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    net(x).sum().backward()
    separate = torch.cat([p.grad.reshape(-1) for p in net.parameters()])
    assert flat.gradient.sort().values.equal(separate.sort().values)
    net.load_state_dict({name: torch.zeros_like(value) for name, value in state.items()})
    assert not flat.decayed.any()
    assert not flat.plain.any()
