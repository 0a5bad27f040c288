"""Optimizers over flat parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from sweeper.config.schema import Adam, AdamW, Lion, Muon, Optimizer, RmsProp, Sgd
from sweeper.core import optim
from sweeper.core.flat import Flat
from sweeper.core.loop import train
from sweeper.core.precision import Precision
from sweeper.core.rate import Rate
from sweeper.data.dataset import Dataset
from sweeper.errors import InputError
from tests.core.driving import cut, script

CPU = torch.device("cpu")
EVERY: list[Optimizer] = [AdamW(), Adam(), RmsProp(), RmsProp(momentum=0.9), Lion(), Muon(), Sgd(), Sgd(momentum=0.0), Sgd(nesterov=True)]
# The defaults of Lion and of gradient descent are for longer training than a test's.
QUICK = [*EVERY[:4], Lion(lr=1e-3), Muon(), Sgd(), Sgd(momentum=0.0, lr=0.1), Sgd(nesterov=True)]


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


def stock(config: Optimizer, net: nn.Module) -> list[torch.optim.Optimizer]:
    """Torch's own over separate tensors, decaying the matrices only."""
    matrices = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    match config:
        case AdamW():
            return [torch.optim.AdamW(groups, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps)]
        case Adam():
            return [torch.optim.Adam(groups, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps)]
        case RmsProp():
            return [torch.optim.RMSprop(groups, lr=config.lr, alpha=config.alpha, eps=config.eps, momentum=config.momentum)]
        case Sgd():
            return [torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov)]
        case Muon():
            hidden, groups[0]["params"] = matrices[:1], matrices[1:]
            known = {"weight_decay": config.weight_decay, "nesterov": config.nesterov, "ns_steps": config.ns_steps}
            muon = torch.optim.Muon(hidden, lr=config.lr, momentum=config.momentum, adjust_lr_fn=config.adjust_lr, **known)
            betas = (config.adamw_beta1, config.adamw_beta2)
            return [muon, torch.optim.AdamW(groups, lr=config.adamw_lr, betas=betas, eps=config.adamw_eps)]
        case Lion():
            raise NotImplementedError


@pytest.mark.parametrize(
    "config",
    [
        AdamW(lr=1e-2, weight_decay=0.3, beta1=0.8),
        Adam(lr=1e-2, weight_decay=0.3, beta1=0.8, beta2=0.9, eps=1e-4),
        RmsProp(lr=1e-2, weight_decay=0.1, alpha=0.8, eps=1e-3),
        RmsProp(lr=1e-2, momentum=0.7),
        Muon(weight_decay=0.3, adamw_lr=1e-2),
        Muon(momentum=0.5, nesterov=False, ns_steps=2, adjust_lr="match_rms_adamw", adamw_beta1=0.5, adamw_beta2=0.9, adamw_eps=1e-3),
        Sgd(lr=1e-1, weight_decay=0.1),
        Sgd(nesterov=True),
    ],
    ids=lambda config: config.name,
)
def test_the_flat_optimizer_is_torchs_own_without_decay_on_biases_and_norms(config: Optimizer) -> None:
    """Ten steps give what torch's stock optimizer gives over separate tensors, decaying the matrices only."""
    net, other = small(), small()
    references = stock(config, other)
    flat = Flat(net)
    optimizer = optim.build(config, flat)
    x = torch.randn(20, 7)
    for _ in range(10):
        flat.gradient.zero_()
        net(x).square().mean().backward()
        optimizer.step()
        other.zero_grad()
        other(x).square().mean().backward()
        for reference in references:
            reference.step()
    # Muon multiplies in bfloat16, where a difference in a gradient's last bit may become one of 1/256 in an element of the step.
    loose = {"rtol": 2e-2, "atol": 1e-3} if isinstance(config, Muon) else {"rtol": 1e-5, "atol": 1e-7}
    for mine, theirs in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, **loose)


def test_lion_takes_the_papers_steps() -> None:
    """Algorithm 2 of the paper written out in float64: ten steps with random gradients, the bias without decay."""
    config = Lion(lr=3e-3, weight_decay=0.5, beta1=0.8, beta2=0.95)
    net = nn.Linear(9, 4)
    flat = Flat(net)
    optimizer = optim.build(config, flat)
    weights = {name: p.detach().double() for name, p in net.named_parameters()}
    momenta = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for step in range(10):
        gradients = {name: torch.randn(p.shape) for name, p in net.named_parameters()}
        for name, p in net.named_parameters():
            assert p.grad is not None
            p.grad.copy_(gradients[name])
        rate = config.lr / (1 + step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        for name, gradient in gradients.items():
            mixed = config.beta1 * momenta[name] + (1 - config.beta1) * gradient.double()
            decay = config.weight_decay if name == "weight" else 0.0
            weights[name] = weights[name] - rate * (mixed.sign() + decay * weights[name])
            momenta[name] = config.beta2 * momenta[name] + (1 - config.beta2) * gradient.double()
    for name, p in net.named_parameters():
        torch.testing.assert_close(p.double(), weights[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("config", EVERY, ids=lambda config: config.name)
def test_no_decay_on_biases_and_norms(config: Optimizer) -> None:
    """Without a gradient a step with decay draws every matrix towards zero and leaves biases and norms as they are."""
    net = small()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optim.build(config.model_copy(update={"weight_decay": 0.5}), Flat(net)).step()
    for name, p in net.named_parameters():
        if p.ndim > 1:
            assert p.norm() < before[name].norm(), name
        else:
            assert torch.equal(p, before[name]), name


@pytest.mark.parametrize("config", EVERY, ids=lambda config: config.name)
def test_a_skipped_step_leaves_no_trace(config: Optimizer) -> None:
    """With fp16's loss scaling, steps that overflow, the first among them, change neither weights nor state nor the schedule."""

    def trained(factors: list[float]) -> torch.Tensor:
        net = small()
        flat, precision = Flat(net), Precision("fp16", CPU)
        optimizer = optim.build(config, flat)
        rate = Rate(optimizer, lambda step: 1.0 / (1 + step), 10, precision)
        x = torch.randn(20, 7, generator=torch.Generator().manual_seed(0))
        for factor in factors:
            rate.apply()
            flat.gradient.zero_()
            precision.backward(net(x).square().mean() * factor)
            precision.clip(optimizer, flat.gradient, 1.0)
            precision.step(optimizer)
        assert int(precision.skipped) == sum(factor > 1 for factor in factors)
        return torch.cat([p.detach().reshape(-1) for p in net.parameters()])

    found = trained([1e37, 1.0, 0.5, 1e37, 1.0])
    assert found.isfinite().all()
    assert torch.equal(found, trained([1.0, 0.5, 1.0]))
    assert not torch.equal(found, trained([1.0, 0.5]))


@pytest.mark.parametrize("config", QUICK, ids=lambda config: config.name)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_optimizer_lowers_the_loss_on_digits(digits: Dataset, make_trial: Any, config: Optimizer, precision: str) -> None:
    """In three epochs over 400 rows."""
    trial = make_trial(optimizer=config.model_dump(), model={"width": 32}, training={"precision": precision, "batch_size": 16})
    losses = [reports[0].metrics["val_loss"] for reports in script(train([trial], cut(digits, 400, 100), device="cpu"))]
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] < 2.1  # ln(10) is 2.3


def test_each_part_of_muon_has_a_rate_of_its_own() -> None:
    """The schedule moves both alike; the reported rate is Muon's."""
    optimizer = optim.build(Muon(lr=0.02, adamw_lr=0.003), Flat(small()))
    rate = Rate(optimizer, lambda step: [1.0, 0.5][step], 2, Precision("fp32", CPU))
    for expected in ([0.02, 0.003, 0.003], [0.01, 0.0015, 0.0015]):
        rate.apply()
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(expected)
        assert rate.lr == pytest.approx(expected[0])


class Parts(nn.Module):
    """One layer of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 8)
        self.place = nn.Parameter(torch.zeros(5, 8))
        self.conv = nn.Conv1d(8, 8, 3)
        self.attention = nn.MultiheadAttention(8, 2)
        self.recurrent = nn.LSTM(8, 6)
        self.norm = nn.LayerNorm(6)
        self.dense = nn.Linear(6, 6)
        self.output = nn.Linear(6, 2)


def test_muon_takes_the_matrices_of_hidden_layers() -> None:
    """Dense, recurrent and attention layers; not embeddings, learned positions, kernels, the output layer, biases or norms."""
    net = Parts()
    flat = Flat(net)
    names = {id(p): name for name, p in net.named_parameters()}
    hidden = ["attention.in_proj_weight", "attention.out_proj.weight", "recurrent.weight_ih_l0", "recurrent.weight_hh_l0", "dense.weight"]
    assert sorted(names[id(p)] for p in flat.hidden) == sorted(hidden)
    assert sorted(names[id(p)] for p in flat.outer) == ["conv.weight", "output.weight", "place", "words.weight"]
    muon, outer, plain = optim.build(Muon(), flat).param_groups
    assert (muon["params"], outer["params"], plain["params"]) == (flat.hidden, flat.outer, [flat.plain])
    assert [group["weight_decay"] for group in (muon, outer, plain)] == [0.01, 0.01, 0.0]


@pytest.mark.parametrize("make", [lambda: nn.Linear(3, 2), lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 2))])
def test_muon_without_a_hidden_matrix_is_refused(make: Callable[[], nn.Module]) -> None:
    """The sentence names the key and what to write."""
    with pytest.raises(InputError, match=r"optimizer\.name.*muon with a model that has no hidden.*name: adamw"):
        optim.build(Muon(), Flat(make()))


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
