"""The largest stable learning rate of every optimizer on a quadratic is the one that theory gives, for torch's optimizers and the core's.

A parameter's elements are independent there, so one run with the curvatures of a fine ladder finds the limit: the first element that grows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn, optim

from sweeper.config.schema import Adam, Sgd
from sweeper.core import optim as core
from sweeper.core.flat import Flat
from sweeper.core.optim import lean

LR = 0.05
DECAY = 3.0
MOMENTUM = 0.9
FLAT = 100
"""Steps without a gradient first, after which Adam no longer corrects for its start."""

STEPS = 200
LADDER = np.geomspace(0.99, 1.01, 1001)
"""Of curvatures, in units of the one that theory gives; wider, and the fastest would outgrow Adam's eps or float32."""
SMALL = 1e-20
"""Where the elements start: far below eps = 1, so that Adam's preconditioner stays what it is."""

TORCH: dict[str, Callable[[Any], optim.Optimizer]] = {
    "sgd": lambda p: optim.SGD(p, lr=LR),
    "momentum": lambda p: optim.SGD(p, lr=LR, momentum=MOMENTUM),
    "nesterov": lambda p: optim.SGD(p, lr=LR, momentum=MOMENTUM, nesterov=True),
    "coupled decay": lambda p: optim.SGD(p, lr=LR, weight_decay=DECAY),
    "adam, preconditioner frozen": lambda p: optim.Adam(p, lr=LR, eps=1.0),
}
CORE: dict[str, Sgd | Adam] = {
    "sgd": Sgd(lr=LR, momentum=0.0, weight_decay=0.0),
    "momentum": Sgd(lr=LR, momentum=MOMENTUM, weight_decay=0.0),
    "nesterov": Sgd(lr=LR, momentum=MOMENTUM, nesterov=True, weight_decay=0.0),
    "coupled decay": Sgd(lr=LR, momentum=0.0, weight_decay=DECAY),
    "adam, preconditioner frozen": Adam(lr=LR, eps=1.0, weight_decay=0.0),
}
CURVATURE = {
    "sgd": 2 / LR,
    "momentum": 2 * (1 + MOMENTUM) / LR,
    "nesterov": 2 * (1 + MOMENTUM) / ((1 + 2 * MOMENTUM) * LR),
    "coupled decay": 2 / LR - DECAY,
    "adam, preconditioner frozen": 38 / LR,
}
"""Of the quadratic that ``LR`` is just stable on: the limits 2/c, 2(1+b)/c, 2(1+b)/((1+2b)c), 2/(c+w) and 38 eps/c, solved for c."""


def limit(parameter: torch.Tensor, step: Callable[[], object], curvatures: torch.Tensor) -> float:
    """The lowest curvature on which the parameter grows; below it, all shrink, and above it, none."""
    sizes = []
    for number in range(-FLAT, STEPS):
        assert parameter.grad is not None
        parameter.grad.copy_(parameter.detach() * curvatures.view(-1) * (number >= 0))
        step()
        sizes.append(parameter.detach().abs())
    # The largest of some steps against that of earlier ones: momentum makes an element swing.
    late, early = (torch.stack(sizes[at:][:20]).amax(0) for at in (-20, -STEPS // 2))
    grows = (late > early).tolist()
    assert grows == sorted(grows)
    return float(curvatures.view(-1)[grows.index(True)])


@pytest.mark.parametrize("name", CURVATURE)
def test_torchs_optimizers_have_the_limits_of_theory(name: str) -> None:
    """To a ten-thousandth."""
    curvatures = CURVATURE[name] * torch.tensor(LADDER)
    parameter = nn.Parameter(torch.full_like(curvatures, SMALL))
    parameter.grad = torch.empty_like(curvatures)
    assert limit(parameter, TORCH[name]([parameter]).step, curvatures) == pytest.approx(CURVATURE[name], rel=1e-4)


@pytest.mark.parametrize("name", CURVATURE)
def test_the_cores_optimizers_have_the_limits_of_theory(name: str) -> None:
    """The optimizer that the core builds, stepped as the core steps it, in its float32, to a ten-thousandth."""
    curvatures = (CURVATURE[name] * torch.tensor(LADDER)).float().view(1, -1)
    model = nn.ParameterList([torch.full_like(curvatures, SMALL)])
    flat = Flat(model)
    optimizer = core.build(CORE[name], flat)
    assert limit(flat.decayed, lambda: lean.step(optimizer), curvatures) == pytest.approx(CURVATURE[name], rel=1e-4)
