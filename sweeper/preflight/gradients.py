"""What a backward pass tells about a model: whether every layer learns, and whether its gradients are right."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from sweeper.core.batches import Rows
from sweeper.preflight.finding import Finding, failed, listed, passed, warned
from sweeper.preflight.trying import gradients, seeded, trained_parameters, twin, warmed

RELATIVE = 1e-5
"""Largest relative error of a right gradient in float64."""

STEPS = (1e-5, 1e-6, 1e-4)
"""Of the finite differences; the best one counts, since a step may cross a kink of a ReLU."""

FLOOR = 1e-3
"""Errors are relative to the gradient, or to this share of the model's largest one where that is more: below it lies rounding."""

PER_TENSOR, MOST = 4, 160
"""Elements that are checked: of each tensor its largest gradient and some at random."""

SECONDS = 3.0
"""After which the elements checked so far must do."""

JITTER = 0.01
"""Standard deviation of what is added to every parameter first: zero biases on zero inputs would stand exactly on a kink."""

ALIKE = 1e-4
"""Relative difference up to which neurons count as equal."""


def gradient_flow(model: nn.Module, batch: Rows, task: str) -> Finding:
    """Whether the loss reaches every trained tensor: no gradient is missing, NaN, or zero throughout.

    What is zero at first and not after a few steps, such as everything behind an output layer of zeros, is alive.
    """
    check = "gradient flow"
    found = gradients(twin(model), batch, task)
    if not found:
        return failed(check, "the model has no parameter to train", "layers with parameters, and requires_grad left on", "model")
    missing = [name for name, gradient in found.items() if gradient is None]
    broken = [name for name, gradient in found.items() if gradient is not None and not bool(torch.isfinite(gradient).all())]
    if broken:
        told = f"NaN or infinite gradients in {listed(broken)}"
        return failed(check, told, "check the inputs' range, the initialisation, log(0), sqrt(0) and division by 0", "model")
    if missing:
        told = f"the loss does not depend on {listed(missing)}"
        return failed(check, told, "use these layers in forward, or remove them; no detach() or .data on the way", "model")
    still = _still(found)
    if still:
        later = gradients(warmed(model, batch, task), batch, task)
        still = [name for name in still if name in _still(later)]
    if still:
        told = f"the gradient of {listed(still)} is zero throughout"
        return failed(check, told, "check for dead units (He initialisation, leaky ReLU), zero weights and saturation", "model")
    sizes = torch.stack([gradient.abs().mean() for gradient in found.values() if gradient is not None])
    frozen = sum(1 for parameter in model.parameters() if not parameter.requires_grad)
    rest = f"; {frozen} are frozen" if frozen else ""
    return passed(check, f"reaches all {len(found)} tensors, mean sizes from {float(sizes.min()):.1e} to {float(sizes.max()):.1e}{rest}")


def _still(found: dict[str, torch.Tensor | None]) -> list[str]:
    return [name for name, gradient in found.items() if gradient is not None and not bool(gradient.any())]


def zero_init(model: nn.Module, batch: Rows, task: str) -> Finding:
    """Whether all neurons of a layer are equal and get equal gradients: then they stay equal for ever, and are one neuron."""
    check = "symmetry"
    found = gradients(twin(model), batch, task)
    trapped = []
    for name, parameter in trained_parameters(model).items():
        gradient = found[name]
        if parameter.ndim > 1 and len(parameter) > 1 and gradient is not None and _alike(parameter.detach()) and _alike(gradient):
            trapped.append(name)
    if not trapped:
        return passed(check, "the neurons of every layer differ")
    told = f"all neurons of {listed(trapped)} are equal and get equal gradients, so they learn the same"
    return failed(check, told, "random weights at the start; zeros are for biases", "model")


def _alike(rows: torch.Tensor) -> bool:
    """Whether all rows ``[n, ...]`` are equal, to rounding."""
    return bool(((rows - rows[:1]).abs() <= ALIKE * rows.abs().max()).all())


def gradient_check(model: nn.Module, batch: Rows) -> Finding:
    """Analytic gradients against central differences, in float64, on some elements of every tensor.

    A weighted sum of the outputs stands in for the loss, whose own gradient is torch's. Random parts of the model, dropout say, are
    the same at each evaluation.

    Args:
        model: any.
        batch: a few rows.
    """
    check = "gradient check"
    other = twin(model).double().train()
    x = batch.x.double() if batch.x.is_floating_point() else batch.x
    parameters = trained_parameters(other)
    with seeded(), torch.no_grad():
        for parameter in parameters.values():
            parameter.add_(torch.randn_like(parameter), alpha=JITTER)
        weights = torch.randn_like(other(x))
    if weights.dtype != torch.float64:
        told = f"the model computes in {str(weights.dtype).removeprefix('torch.')} whatever its parameters are, too coarse for differences"
        return warned(check, told, "no .float() inside the model, unless it is meant", "model")

    def value() -> torch.Tensor:
        with seeded(1):
            total: torch.Tensor = (other(x) * weights).sum() / len(x)
            return total

    total = value()
    found = torch.autograd.grad(total, list(parameters.values()), allow_unused=True) if total.requires_grad else [None] * len(parameters)
    exact = {name: torch.zeros_like(p) if g is None else g for (name, p), g in zip(parameters.items(), found, strict=True)}
    largest = max((float(gradient.abs().max()) for gradient in exact.values()), default=0.0)
    errors: dict[str, float] = {}
    started, checked = time.perf_counter(), 0
    for name, index in _places(exact):
        where = np.unravel_index(index, exact[name].shape)
        error = _error(value, parameters[name].data, where, float(exact[name][where]), max(FLOOR * largest, 1e-12))
        errors[name] = max(errors.get(name, 0.0), error)
        checked += 1
        if time.perf_counter() - started > SECONDS:
            break
    wrong = [f"{name} ({error:.1e})" for name, error in sorted(errors.items(), key=lambda pair: -pair[1]) if not error < RELATIVE]
    if wrong:
        told = f"gradients differ from finite differences, by relative errors up to: {listed(wrong)}"
        return failed(check, told, "check hand-written backward functions, detach(), rounding and in-place changes", "model")
    return passed(check, f"relative error at most {max(errors.values(), default=0.0):.0e} on {checked} elements of {len(errors)} tensors")


def _places(exact: dict[str, torch.Tensor]) -> list[tuple[str, int]]:
    """Which elements to check: tensor by tensor the largest and some at random, first one of each, then the others."""
    generator = torch.Generator().manual_seed(0)
    columns = [
        [(name, int(g.abs().argmax())), *((name, int(torch.randint(g.numel(), (), generator=generator))) for _ in range(PER_TENSOR - 1))]
        for name, g in exact.items()
    ]
    return [place for row in zip(*columns, strict=True) for place in row][:MOST]


def _error(value: Callable[[], torch.Tensor], tensor: torch.Tensor, where: tuple[Any, ...], analytic: float, floor: float) -> float:
    """The smallest relative error of an analytic gradient over the steps; ``tensor`` is as before afterwards."""
    best, before = math.inf, float(tensor[where])
    with torch.no_grad():
        for step in STEPS:
            ends = []
            for sign in (1.0, -1.0):
                tensor[where] = before + sign * step
                ends.append(float(value()))
            tensor[where] = before
            numeric = (ends[0] - ends[1]) / (2.0 * step)
            error = abs(numeric - analytic) / max(abs(numeric), abs(analytic), floor)
            best = min(best, error) if math.isfinite(error) else best
            if best < RELATIVE:
                break
    return best
