"""What training looks like from inside, once in a while: gradients, weights, activations, the weakest class.

All functions take K models at once, lane by lane in the first axis, and give [K] numbers on the device; the plain engine comes with K = 1.
Nothing here waits for the device or changes what is trained.
"""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from sweeper.core import metrics
from sweeper.core.diagnose import WATCHED
from sweeper.core.models import lent
from sweeper.core.models.parts import ACTIVATIONS

PROBE_ROWS = 64
"""Activations are looked at on the first so many rows of the validation part."""

EVERY_STEPS = 32
"""A look takes as long as one or two steps; one in so many keeps it below 5% of the time (``benchmarks/monitoring.py``)."""

KINDS = (
    *{type(make()) for make in ACTIVATIONS.values()},
    nn.CELU,
    nn.PReLU,
    nn.ReLU6,
    nn.Mish,
    nn.Softplus,
    nn.Hardtanh,
    nn.Hardswish,
    nn.Hardsigmoid,
)
"""Modules whose outputs are activations."""


def due(epoch: int, steps: int) -> bool:
    """Whether a 1-based epoch of so many steps is looked into: the first one and then every one, or every few where epochs are short."""
    return epoch == 1 or epoch % -(-EVERY_STEPS // steps) == 0


def watched(model: nn.Module) -> list[str]:
    """Names of the trainable matrices and kernels, input side first. Not of embeddings, most of whose rows a batch does not touch."""
    return [
        f"{place}.{name}".removeprefix(".")
        for place, module in model.named_modules()
        if not isinstance(module, nn.Embedding | nn.EmbeddingBag)
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.ndim > 1 and parameter.requires_grad
    ]


@contextmanager
def tapped(model: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Within it each forward pass adds the outputs of the activation modules to the list, in the order in which they are computed."""
    found: list[torch.Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output: found.append(output.detach()))
        for module in model.modules()
        if isinstance(module, KINDS)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def activations_of(model: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Outputs [1, n, ...] of every activation module for ``x`` [n, ...], in evaluation mode; the model's mode is as before afterwards."""
    training = model.training
    with tapped(model.eval()) as found:
        model(lent(x, model))
    model.train(training)
    return [one.unsqueeze(0) for one in found]


def norms(found: torch.Tensor) -> dict[str, torch.Tensor]:
    """``grad_norm_max``, the largest of an epoch's gradient norms [K, steps]; steps that fp16 skipped are NaN there, and left out."""
    return {"grad_norm_max": found.nan_to_num(nan=0.0, posinf=math.inf).amax(1)}


def gradients(tensors: Sequence[torch.Tensor], norms: torch.Tensor, clipped: torch.Tensor) -> dict[str, torch.Tensor]:
    """Mean absolute gradient of a tensor in the epoch's last step, before clipping.

    Args:
        tensors: gradients [K, *shape] of the watched tensors, input side first.
        norms: [K], of the whole gradient before clipping.
        clipped: [K], of the whole gradient as it is in ``tensors``.

    Returns:
        ``grad_first`` (the first tensor, where a gradient that vanishes is smallest), ``grad_last`` and ``grad_largest``.
    """
    if not tensors:
        return {}
    before = torch.where(clipped > 0, norms / clipped, 1.0)
    means = torch.stack([torch.linalg.vector_norm(one.flatten(1), ord=1, dim=1) / one[0].numel() for one in tensors]) * before
    return {"grad_first": means[0], "grad_last": means[-1], "grad_largest": means.amax(0)}


def weights(before: torch.Tensor, after: torch.Tensor) -> dict[str, torch.Tensor]:
    """Size of the parameters [K, n] after the epoch's last step, and of that step against it: about 1e-3 is usual.

    Returns:
        ``weight_norm`` and ``update_ratio``.
    """
    norm = torch.linalg.vector_norm(after, dim=1)
    return {"weight_norm": norm, "update_ratio": torch.linalg.vector_norm(after - before, dim=1) / norm}


def activations(layers: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """What the hidden units do for the probed rows.

    Args:
        layers: outputs of the activation modules, [K, rows, units], [K, rows, time, units] or [K, rows, channels, height, width].

    Returns:
        ``activation_mean`` and ``activation_std``, the layers' own in the mean over layers, and ``dead_units``, the share of all units
        that are 0 for every row (ReLU family); nothing where there are no layers.
    """
    if not layers:
        return {}
    means, spreads, dead, units = [], [], [], 0
    for layer in layers:
        flat = layer.flatten(1).float()
        mean = flat.mean(1)
        means.append(mean)
        spreads.append((flat - mean.unsqueeze(1)).square().mean(1).sqrt())
        axis = 2 if layer.ndim == 5 else layer.ndim - 1
        by_unit = layer.movedim(axis, 1).flatten(2)
        dead.append((by_unit == 0).all(2).sum(1))
        units += by_unit.shape[1]
    # Added one by one: a sum over an axis before that of the lanes takes another order for another number of lanes.
    return {
        "activation_mean": sum(means[1:], means[0]) / len(layers),
        "activation_std": sum(spreads[1:], spreads[0]) / len(layers),
        "dead_units": sum(dead[1:], dead[0]) / units,
    }


def weakest_class(outputs: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    """``recall_min``, the smallest recall of a class that occurs in ``y`` [n], by the largest of ``outputs`` [K, n, classes]."""
    return {"recall_min": metrics.recalls(outputs.argmax(-1), y, outputs.shape[-1]).nan_to_num(nan=math.inf).amin(-1)}


def named(found: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The numbers under their names in reports."""
    return {WATCHED + name: value for name, value in found.items()}


def kept(further: Mapping[str, float], report: Mapping[str, float]) -> dict[str, float]:
    """Of further numbers of an epoch those that go into its report: only of an epoch that was looked into those made here."""
    looked = any(name.startswith(WATCHED) for name in report)
    return {name: value for name, value in further.items() if looked or not name.startswith(WATCHED)}


def machine(rows: int, seconds: float, device: torch.device) -> dict[str, float]:
    """``rows_per_second``, of all lanes, and ``memory_mb``, the most that this process (on a GPU: torch there) has held so far.

    Args:
        rows: that were trained on.
        seconds: in which they were, with evaluation.
        device: where.
    """
    if device.type == "cuda":
        most = torch.cuda.max_memory_allocated(device) / 2**20
    else:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {WATCHED + "rows_per_second": rows / seconds, WATCHED + "memory_mb": most}
