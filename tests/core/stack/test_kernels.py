"""The optimizers over K lanes against torch's own, run K times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn

from sweeper.config.schema import Adam, AdamW, Lion, Muon, Optimizer, RmsProp, Sgd
from sweeper.core.batches import Resident
from sweeper.core.optim import lion
from sweeper.core.stack import kernels
from sweeper.core.stack.choose import alone
from sweeper.core.stack.kernels.formula import FormulaAdam, FormulaAdamW, FormulaLion, FormulaRmsProp, FormulaSgd
from sweeper.core.stack.kernels.fused import FusedAdam, FusedAdamW, FusedSgd
from sweeper.core.stack.kernels.in_place import InPlaceLion, InPlaceRmsProp
from sweeper.core.stack.slabs import Slabs
from sweeper.data.dataset import Dataset

CPU = torch.device("cpu")
STEPS = 30
RATES = [1e-2, 1e-3, 5e-2, 2e-3]
ADAMW = [
    AdamW(weight_decay=0.3),
    AdamW(weight_decay=0.0, beta1=0.5),
    AdamW(weight_decay=0.1, beta2=0.9, eps=1e-3),
    AdamW(beta1=0.0),
]
ADAM = [Adam(**config.model_dump(exclude={"name"})) for config in ADAMW]
RMSPROP = [
    RmsProp(weight_decay=0.3),
    RmsProp(weight_decay=0.0, momentum=0.9),
    RmsProp(weight_decay=0.1, alpha=0.9, eps=1e-3, momentum=0.5),
    RmsProp(alpha=0.999),
]
LION = [Lion(weight_decay=0.3), Lion(weight_decay=0.0, beta1=0.5), Lion(beta1=0.95, beta2=0.9), Lion(beta1=0.0)]
SGD = [Sgd(momentum=0.9, weight_decay=0.1), Sgd(momentum=0.0), Sgd(momentum=0.5, weight_decay=0.0), Sgd(momentum=0.99)]
NESTEROV = [config.model_copy(update={"nesterov": True, "momentum": 0.8}) for config in SGD]
CASES = [
    (FusedAdamW, ADAMW),
    (FormulaAdamW, ADAMW),
    (FusedAdam, ADAM),
    (FormulaAdam, ADAM),
    (InPlaceRmsProp, RMSPROP),
    (FormulaRmsProp, RMSPROP),
    (InPlaceLion, LION),
    (FormulaLion, LION),
    (FusedSgd, SGD),
    (FormulaSgd, SGD),
    (FusedSgd, NESTEROV),
    (FormulaSgd, NESTEROV),
]


def net() -> nn.Module:
    """Matrices, biases and norms of odd sizes."""
    return nn.Sequential(nn.Linear(7, 13), nn.LayerNorm(13), nn.Linear(13, 3))


def stock(model: nn.Module, config: Optimizer, rate: float) -> torch.optim.Optimizer:
    """One lane's own, torch's but for Lion, decaying the matrices only."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    match config:
        case AdamW():
            return torch.optim.AdamW(groups, lr=rate, betas=(config.beta1, config.beta2), eps=config.eps)
        case Adam():
            return torch.optim.Adam(groups, lr=rate, betas=(config.beta1, config.beta2), eps=config.eps)
        case RmsProp():
            return torch.optim.RMSprop(groups, lr=rate, alpha=config.alpha, eps=config.eps, momentum=config.momentum)
        case Lion():
            return lion.Lion(groups, lr=rate, betas=(config.beta1, config.beta2))
        case Sgd():
            return torch.optim.SGD(groups, lr=rate, momentum=config.momentum, nesterov=config.nesterov)
        case Muon():
            raise NotImplementedError


def taken(family: Any, rates: list[float]) -> Any:
    """The rates as this family takes them."""
    return torch.tensor(rates) if family in kernels.BY_FORMULA.values() else rates


def drawn(slabs: Slabs, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Gradients of very different lengths, by name [K, *shape]."""
    return {
        name: torch.randn(leaf.shape, generator=generator) * 10.0 ** (torch.rand(1, generator=generator) * 4 - 3)
        for name, leaf in slabs.leaves.items()
    }


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize(("family", "configs"), CASES)
def test_every_lane_takes_torchs_own_steps(family: Any, configs: Sequence[Any], clip: float | None) -> None:
    """Thirty steps with gradients drawn at random: the lanes' own rates, decays, betas, momenta; clipped by the divisor or not."""
    generator = torch.Generator().manual_seed(0)
    models = [net() for _ in configs]
    references = [stock(model, config, rate) for model, config, rate in zip(models, configs, RATES, strict=True)]
    slabs = Slabs(models[0], len(configs), CPU)
    for row, model in enumerate(models):
        slabs.load(row, model.state_dict())
    optimizer = family(slabs)
    optimizer.adopt(configs)
    for step in range(STEPS):
        factor = 1.0 / (1 + step)
        gradients = drawn(slabs, generator)
        slabs.take_gradients(tuple(gradients.values()))
        norms = torch.linalg.vector_norm(slabs.gradient, dim=1)
        divisors = torch.ones(len(configs)) if clip is None else ((norms + 1e-6) / clip).clamp(min=1.0)
        rates = [rate * factor for rate in RATES]
        optimizer.step(taken(family, rates), divisors)
        for row, (model, reference, rate) in enumerate(zip(models, references, rates, strict=True)):
            for name, parameter in model.named_parameters():
                parameter.grad = gradients[name][row].clone()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            for group in reference.param_groups:
                group["lr"] = rate
            reference.step()
    for row, model in enumerate(models):
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(slabs.leaves[name][row], parameter, rtol=2e-5, atol=2e-6)
    assert optimizer.steps.tolist() == [STEPS] * len(configs)


@pytest.mark.parametrize(("family", "configs"), CASES)
def test_biases_and_norms_are_not_decayed(family: Any, configs: Sequence[Any]) -> None:
    """Without a gradient a step moves nothing but the matrices, and those only where the lane has a decay."""
    slabs = Slabs(net(), len(configs), CPU)
    for row in range(len(configs)):
        slabs.load(row, {name: torch.ones_like(value) for name, value in net().state_dict().items()})
    optimizer = family(slabs)
    optimizer.adopt(
        [config.model_copy(update={"weight_decay": decay}) for config, decay in zip(configs, [0.1, 0.0, 0.5, 1.0], strict=True)]
    )
    optimizer.step(taken(family, [0.1] * 4), torch.ones(4))
    for name, leaf in slabs.leaves.items():
        moved = [not torch.equal(row, torch.ones_like(row)) for row in leaf]
        assert moved == ([True, False, True, True] if leaf.ndim > 2 else [False] * 4), name


@pytest.mark.parametrize(("family", "configs"), CASES)
def test_a_broken_lane_breaks_no_other(family: Any, configs: Sequence[Any]) -> None:
    """A gradient, a norm and a rate that are not finite stay in their lane, to the last bit of the others."""
    found = []
    for wild in (1.0, torch.nan):
        generator = torch.Generator().manual_seed(0)
        slabs = Slabs(net(), len(configs), CPU)
        optimizer = family(slabs)
        optimizer.adopt(configs)
        for _ in range(3):
            gradients = drawn(slabs, generator)
            for gradient in gradients.values():
                gradient[1] *= wild
            slabs.take_gradients(tuple(gradients.values()))
            rates = [rate if row != 1 else rate * wild for row, rate in enumerate(RATES)]
            divisors = torch.tensor([1.0, wild, 1.0, 3.0])
            optimizer.step(taken(family, rates), divisors)
        found.append(slabs.values.clone())
    assert not found[1][1].isfinite().all()
    for row in (0, 2, 3):
        assert torch.equal(found[0][row], found[1][row])


def test_lanes_are_stepped_one_by_one_on_the_cpu() -> None:
    """Formulas cost up to three times as much there."""
    slabs = Slabs(net(), 2, CPU)
    expected = {AdamW: FusedAdamW, Adam: FusedAdam, RmsProp: InPlaceRmsProp, Lion: InPlaceLion, Sgd: FusedSgd}
    assert {config: type(kernels.build(config(), slabs)) for config in expected} == expected


def test_muon_is_trained_plain_and_says_why(digits: Dataset, make_trial: Any) -> None:
    """Also where the config asks for a stack."""
    trial = make_trial(optimizer={"name": "muon"}, training={"engine": "stacked"})
    choice = alone(trial, Resident.of(digits, CPU))
    assert (choice.engine, choice.reason) == ("plain", "plain: muon works on one matrix at a time")
