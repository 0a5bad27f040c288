"""The shorter way of an optimizer's step."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sweeper.core.optim import lean


@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD, torch.optim.RMSprop])
def test_it_gives_torchs_bits(make: Any) -> None:
    """Ten steps with a changing rate, two groups of which one is decayed: the same parameters and the same state."""
    more = {} if make is torch.optim.RMSprop else {"fused": True}

    def trained(take: Any) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
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
        state = [value for parameter in parameters for value in optimizer.state[parameter].values() if isinstance(value, torch.Tensor)]
        return [parameter.detach() for parameter in parameters], state

    (values, state), (expected, expected_state) = trained(lean.step), trained(lambda optimizer: optimizer.step())
    for one, other in zip([*values, *state], [*expected, *expected_state], strict=True):
        assert torch.equal(one, other)
