"""A model is tried on a copy, with random numbers of its own: whoever hands one over gets it back untouched."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from sweeper.core.batches import Rows
from sweeper.core.dropout import dropouts
from sweeper.core.evaluate import task_loss

STEP = 0.01
"""Learning rate of the few plain gradient steps that ``warmed`` takes."""


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Within it torch's random numbers begin at ``seed``; afterwards they are as before."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        yield


def twin(model: nn.Module) -> nn.Module:
    """A copy with parameters and buffers of its own; its dropout layers draw from torch's generator."""
    other = copy.deepcopy(model)
    for layer in dropouts(other):
        layer.noise = layer.mask = None
    return other


def trained_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that an optimizer changes, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def gradients(model: nn.Module, batch: Rows, task: str) -> dict[str, torch.Tensor | None]:
    """The gradient of the task's loss by parameter, in training mode; None for a parameter that the loss does not depend on."""
    parameters = trained_parameters(model)
    model.train()
    with seeded():
        loss = task_loss(model(batch.x), batch.y, task)
    if not loss.requires_grad:
        return dict.fromkeys(parameters)
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    return dict(zip(parameters, found, strict=True))


def warmed(model: nn.Module, batch: Rows, task: str, steps: int = 3) -> nn.Module:
    """A copy after a few plain gradient steps, for what only a step brings to life: the layers before an output layer of zeros, say."""
    other = twin(model)
    parameters = trained_parameters(other)
    for _ in range(steps):
        found = gradients(other, batch, task)
        with torch.no_grad():
            for name, gradient in found.items():
                if gradient is not None and bool(torch.isfinite(gradient).all()):
                    parameters[name].sub_(gradient, alpha=STEP)
    return other
