"""The shorter way of an optimizer's step."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import pytest
import torch

from sweeper.config.schema import Adam, AdamW, Lion, Optimizer, Sgd
from sweeper.core import optim
from sweeper.core.flat import Flat
from sweeper.core.optim import lean


@pytest.mark.parametrize(
    ("ours", "torchs", "more"),
    [
        (lean.AdamW, torch.optim.AdamW, {"fused": True}),
        (lean.Adam, torch.optim.Adam, {"fused": True}),
        (lean.Sgd, torch.optim.SGD, {"fused": True, "momentum": 0.9, "nesterov": True}),
        (lean.Sgd, torch.optim.SGD, {"fused": True}),
        (torch.optim.RMSprop, torch.optim.RMSprop, {}),
    ],
)
def test_it_gives_torchs_bits(ours: Any, torchs: Any, more: dict[str, Any]) -> None:
    """Ten steps with a changing rate, two groups of which one is decayed: the same parameters and the same state."""

    def trained(make: Any, take: Any) -> tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]:
        generator = torch.Generator().manual_seed(0)
        parameters = [torch.nn.Parameter(torch.randn(n, generator=generator)) for n in (1001, 37)]
        groups = [{"params": [one], "weight_decay": decay} for one, decay in zip(parameters, (0.1, 0.0), strict=True)]
        optimizer = make(groups, lr=1e-2, **more)
        for n in range(10):
            for group in optimizer.param_groups:
                group["lr"] = 1e-2 / (n + 1)
            for parameter in parameters:
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            take(optimizer)
        state = [optimizer.state[parameter] for parameter in parameters]
        return [parameter.detach() for parameter in parameters], state

    (values, state), (expected, expected_state) = trained(ours, lean.step), trained(torchs, lambda optimizer: optimizer.step())
    for one, other in zip(values, expected, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(state, expected_state, strict=True):
        for name, value in other.items():
            assert torch.equal(one[name], value)


@pytest.mark.parametrize("config", [AdamW(), Adam(), Sgd(), Lion()])
def test_the_compiler_is_not_asked(config: Optimizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its import takes a second of every process that trains: here it fails."""
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)
    monkeypatch.delattr(inspect.unwrap(torch.optim.Optimizer.add_param_group), "__dynamo_disable", raising=False)
    flat = Flat(torch.nn.Linear(3, 2))
    before = flat.values.clone()
    flat.gradient.fill_(1.0)
    lean.step(optim.build(config, flat))
    assert not torch.equal(flat.values, before)
