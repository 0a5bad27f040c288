"""The task's loss and scores: plain, sample-weighted, in evaluation mode and fp32."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from sweeper.core import metrics
from sweeper.core.batches import Rows

CHUNK_BYTES = 4 * 2**20
"""Inputs that go through the model at once in evaluation."""


def task_loss(outputs: torch.Tensor, y: torch.Tensor, task: str, label_smoothing: float = 0.0) -> torch.Tensor:
    """The mean loss of a batch in fp32: cross-entropy of ``outputs`` [n, classes], or squared error of ``outputs`` [n, 1]."""
    if task == "classification":
        # Classes before rows: over a short last axis torch's CPU softmax takes twenty times as long.
        return functional.cross_entropy(outputs.float().t().unsqueeze(0), y.unsqueeze(0), label_smoothing=label_smoothing)
    return functional.mse_loss(outputs.float().squeeze(1), y)


def lane_losses(outputs: torch.Tensor, y: torch.Tensor, task: str, label_smoothing: torch.Tensor | None = None) -> torch.Tensor:
    """``task_loss`` of K models at once.

    Args:
        outputs: [K, n, classes] or [K, n, 1].
        y: [K, n].
        task: ``classification`` or ``regression``.
        label_smoothing: [K]; None: none.

    Returns:
        [K], fp32.
    """
    if task != "classification":
        return (outputs.float().squeeze(-1) - y).square().mean(-1)
    logs = functional.log_softmax(outputs.float().transpose(1, 2), 1)  # classes before rows: see task_loss
    plain = -logs.gather(1, y.unsqueeze(1)).squeeze(1).mean(-1)
    if label_smoothing is None:
        return plain
    return (1.0 - label_smoothing) * plain - label_smoothing * logs.mean((-1, -2))


@torch.inference_mode()
def outputs_of(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The model's fp32 outputs [n, outputs] for all rows, in evaluation mode; the model's mode is as before afterwards."""
    training = model.training
    model.eval()
    rows = max(1, CHUNK_BYTES // max(1, x.shape[1:].numel() * x.element_size()))
    outputs = torch.cat([model(piece) for piece in torch.split(x, rows)])
    model.train(training)
    return outputs


def scores(outputs: torch.Tensor, y: torch.Tensor, task: str, *, target_scale: float = 1.0, auroc: bool = False) -> dict[str, torch.Tensor]:
    """Loss and scores of K models' outputs for the same rows, as float64 [K] on the device.

    Args:
        outputs: [K, n, classes] logits or [K, n, 1] standardised values.
        y: [n] classes or standardised values.
        task: ``classification`` or ``regression``.
        target_scale: brings absolute errors back to the target's own units.
        auroc: whether to compute the area under the ROC curve, which sorts every class's scores.
    """
    found = {"loss": lane_losses(outputs, y.expand(len(outputs), -1), task).double()}
    if task == "classification":
        classes = outputs.argmax(-1)
        found["accuracy"] = metrics.accuracy(classes, y)
        found["f1_macro"] = metrics.f1_macro(classes, y, outputs.shape[-1])
        if auroc:
            found["auroc"] = metrics.auroc(outputs, y)
    else:
        values = outputs.squeeze(-1)
        found["mae"] = metrics.mae(values, y) * target_scale
        found["rmse"] = metrics.rmse(values, y) * target_scale
        found["r2"] = metrics.r2(values, y)
    return found


def evaluate(model: nn.Module, rows: Rows, task: str, *, target_scale: float = 1.0, auroc: bool = False) -> dict[str, float]:
    """Loss and scores of a model on some rows: ``loss`` and ``accuracy``, ``f1_macro`` (``auroc``), or ``mae``, ``rmse``, ``r2``."""
    found = scores(outputs_of(model, rows.x).unsqueeze(0), rows.y, task, target_scale=target_scale, auroc=auroc)
    return dict(zip(found, torch.cat(list(found.values())).tolist(), strict=True))
