"""Numeric precision, clipping, and the learning rate of skipped steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sweeper.config.schema import Sgd
from sweeper.core import optim
from sweeper.core.flat import Flat
from sweeper.core.precision import Precision, choose
from sweeper.core.rate import Rate

CPU = torch.device("cpu")


def test_auto_is_fp32_on_a_cpu_and_says_why() -> None:
    """The reason names the choice and the hardware."""
    name, reason = choose("auto", CPU)
    assert name == "fp32"
    assert reason.startswith("fp32: on a CPU")
    assert choose("bf16", CPU) == ("bf16", "bf16: the config says so")


@pytest.mark.parametrize(("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_the_forward_pass_has_the_precision_and_the_weights_stay_fp32(name: str, dtype: torch.dtype) -> None:
    """Autocast computes a linear layer in the precision; master weights and gradients are fp32."""
    precision = Precision(name, CPU)
    net = nn.Linear(3, 2)
    flat = Flat(net)
    with precision.autocast():
        outputs = net(torch.ones(4, 3))
    assert outputs.dtype == dtype
    precision.backward(outputs.float().sum())
    assert {p.dtype for p in net.parameters()} == {flat.gradient.dtype} == {torch.float32}


@pytest.mark.parametrize("name", ["fp32", "fp16"])
def test_clipping_by_norm_keeps_the_direction(name: str) -> None:
    """The oracle: [3, -4, 1.5, -2.5] has norm 5.788 and becomes [1.555, -2.073, 0.777, -1.296] at 3, scaled or not."""
    precision = Precision(name, CPU)
    weight = nn.ParameterList([torch.zeros(4, 1)])
    flat = Flat(weight)
    optimizer = optim.build(Sgd(lr=1.0, momentum=0.0, weight_decay=0.0), flat)
    precision.backward((weight[0].squeeze(1) * torch.tensor([3.0, -4.0, 1.5, -2.5])).sum())
    norm = precision.clip(optimizer, flat.gradient, 3.0)
    assert norm.item() == pytest.approx(5.788, abs=1e-3)
    assert flat.gradient.tolist() == pytest.approx([1.555, -2.073, 0.777, -1.296], abs=1e-3)


@pytest.mark.parametrize("name", ["fp32", "fp16"])
def test_clipping_by_value_cuts_each_element(name: str) -> None:
    """[3, -4, 0.25, -2.5] becomes [0.5, -0.5, 0.25, -0.5] at 0.5, scaled or not; the norm is told as it was before."""
    precision = Precision(name, CPU)
    weight = nn.ParameterList([torch.zeros(4, 1)])
    flat = Flat(weight)
    optimizer = optim.build(Sgd(lr=1.0, momentum=0.0, weight_decay=0.0), flat)
    precision.backward((weight[0].squeeze(1) * torch.tensor([3.0, -4.0, 0.25, -2.5])).sum())
    norm = precision.clip(optimizer, flat.gradient, None, 0.5)
    assert norm.item() == pytest.approx(5.596, abs=1e-3)
    assert flat.gradient.tolist() == pytest.approx([0.5, -0.5, 0.25, -0.5])


def test_a_small_gradient_is_not_clipped() -> None:
    """Below the limit, and without a limit, the gradient is as it was."""
    gradient = torch.tensor([0.3, 0.4])
    optimizer = optim.build(Sgd(), Flat(nn.Linear(1, 1)))
    for limit in (1.0, None):
        assert Precision("fp32", CPU).clip(optimizer, gradient, limit).item() == pytest.approx(0.5)
        assert gradient.tolist() == pytest.approx([0.3, 0.4])


def test_a_skipped_step_is_counted_and_moves_neither_weights_nor_schedule() -> None:
    """An overflowing fp16 step leaves everything as it was but the loss scale; the next one takes its learning rate."""
    precision = Precision("fp16", CPU)
    weight = nn.ParameterList([torch.ones(1, 1)])
    flat = Flat(weight)
    optimizer = optim.build(Sgd(lr=1.0, momentum=0.0, weight_decay=0.0), flat)
    rate = Rate(optimizer, lambda step: 1.0 / (1 + step), 10, precision)
    rates, weights = [], []
    for factor in (0.1, 1e36, 0.1):
        rate.apply()
        flat.gradient.zero_()
        precision.backward((weight[0] * factor).sum())
        norm = precision.clip(optimizer, flat.gradient, None)
        precision.step(optimizer)
        assert norm.isnan().item() is (factor > 1)
        rates.append(float(rate.lr))
        weights.append(weight[0].item())
    assert precision.skipped.item() == 1
    assert rates == pytest.approx([1.0, 0.5, 0.5])
    assert weights == pytest.approx([0.9, 0.9, 0.85])


def test_momentum_begins_at_zero_when_the_first_step_is_skipped() -> None:
    """Torch's fused SGD would go on with uninitialised memory."""
    precision = Precision("fp16", CPU)
    weight = nn.ParameterList([torch.ones(1000, 1)])
    flat = Flat(weight)
    rubbish = [torch.full((1000, 1), 1e20) for _ in range(20)]
    del rubbish
    optimizer = optim.build(Sgd(lr=1.0, momentum=0.9, weight_decay=0.0), flat)
    for factor in (1e36, 0.1, 0.1):
        flat.gradient.zero_()
        precision.backward((weight[0] * factor).sum())
        precision.clip(optimizer, flat.gradient, None)
        precision.step(optimizer)
    assert torch.allclose(weight[0], torch.tensor(1.0 - 0.1 - 0.19))


@pytest.mark.parametrize("name", ["fp32", "fp16"])
def test_each_step_has_the_schedules_rate(name: str) -> None:
    """The optimizer steps with peak times the multiplier of this very step, the first with that of step 0."""
    precision = Precision(name, CPU)
    flat = Flat(nn.Linear(1, 1))
    optimizer = optim.build(Sgd(lr=0.5), flat)
    rate = Rate(optimizer, lambda step: [1.0, 0.5, 0.25][step], 3, precision)
    found = []
    for _ in range(3):
        rate.apply()
        found.append([float(group["lr"]) for group in optimizer.param_groups])
    assert found == [[0.5, 0.5], [0.25, 0.25], [0.125, 0.125]]
