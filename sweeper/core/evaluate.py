"""The task's loss and scores: plain, sample-weighted, in evaluation mode and fp32."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from sweeper.core import metrics
from sweeper.core.batches import Rows, Source
from sweeper.core.models import lent
from sweeper.core.stream import Stream

CHUNK_BYTES = 4 * 2**20
"""Inputs that go through the model at once in evaluation."""


def training_loss(outputs: torch.Tensor, rows: Rows, task: str, label_smoothing: float) -> torch.Tensor:
    """The loss whose gradient is taken: ``task_loss``, or the mean of the rows' losses times their weights where they have any."""
    if rows.weight is None:
        return task_loss(outputs, rows.y, task, label_smoothing)
    smoothing = torch.full((1,), label_smoothing, device=outputs.device) if label_smoothing else None
    weight, other, other_weight = (one if one is None else one.unsqueeze(0) for one in (rows.weight, rows.other, rows.other_weight))
    return lane_losses(outputs.unsqueeze(0), rows.y.unsqueeze(0), task, smoothing, weight, other, other_weight).squeeze(0)


def task_loss(outputs: torch.Tensor, y: torch.Tensor, task: str, label_smoothing: float = 0.0) -> torch.Tensor:
    """The mean loss of a batch in fp32.

    Cross-entropy of ``outputs`` [n, classes], binary cross-entropy of logits [n, labels] (the mean over labels and rows), or squared error
    of ``outputs`` [n, 1].
    """
    if task == "multilabel":
        return functional.binary_cross_entropy_with_logits(outputs.float(), y)
    if task == "classification":
        # Classes before rows: over a short last axis torch's CPU softmax takes twenty times as long.
        return functional.cross_entropy(outputs.float().t().unsqueeze(0), y.unsqueeze(0), label_smoothing=label_smoothing)
    return functional.mse_loss(outputs.float().squeeze(1), y)


def lane_losses(
    outputs: torch.Tensor,
    y: torch.Tensor,
    task: str,
    label_smoothing: torch.Tensor | None = None,
    weight: torch.Tensor | None = None,
    other: torch.Tensor | None = None,
    other_weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """``task_loss`` of K models at once, or ``training_loss`` where there are weights.

    Args:
        outputs: [K, n, classes], [K, n, labels] or [K, n, 1].
        y: [K, n], or [K, n, labels].
        task: ``classification``, ``multilabel`` or ``regression``.
        label_smoothing: [K], of classification; None: none.
        weight: [K, n], what each row's loss is multiplied by before the mean over the rows; None: 1.
        other: as ``y``, targets of a second loss that is added to the first; None: there is none.
        other_weight: [K, n], what the second loss is multiplied by.

    Returns:
        [K], fp32.
    """
    outputs = outputs.float()
    if task == "classification":
        logs = functional.log_softmax(outputs.transpose(1, 2), 1)  # classes before rows: see task_loss

    def of_rows(target: torch.Tensor) -> torch.Tensor:
        if task == "classification":
            return logs.gather(1, target.unsqueeze(1)).squeeze(1)
        if task == "multilabel":
            return functional.binary_cross_entropy_with_logits(outputs, target, reduction="none").mean(-1)
        return (outputs.squeeze(-1) - target).square()

    losses = of_rows(y)
    if weight is not None:
        losses = losses * weight
    if other is not None and other_weight is not None and weight is not None:
        losses = losses + of_rows(other) * other_weight
        weight = weight + other_weight
    if task != "classification":
        return losses.mean(-1)
    plain = -losses.mean(-1)
    if label_smoothing is None:
        return plain
    spread = logs if weight is None else logs * weight.unsqueeze(1)
    return (1.0 - label_smoothing) * plain - label_smoothing * spread.mean((-1, -2))


@torch.no_grad()
def lane_gradients(
    outputs: torch.Tensor,
    y: torch.Tensor,
    task: str,
    label_smoothing: torch.Tensor,
    weight: torch.Tensor | None = None,
    other: torch.Tensor | None = None,
    other_weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """The gradient of the sum of ``lane_losses`` by ``outputs``, written out, float32 of their shape; arguments as there."""
    outputs = outputs.float()
    share = 1.0 / (y.shape[1] if task != "multilabel" else y.shape[1] * y.shape[2])
    targets = [(y, weight)] if other is None else [(y, weight), (other, other_weight)]
    if task != "classification":
        values = outputs.sigmoid() if task == "multilabel" else outputs * 2.0
        scaled = [(2.0 * target.unsqueeze(-1) if task == "regression" else target, counts) for target, counts in targets]
        parts = [(values - target) * (1.0 if counts is None else counts.unsqueeze(-1)) for target, counts in scaled]
        return sum(parts[1:], parts[0]).mul_(share)
    found = functional.softmax(outputs.transpose(1, 2), 1)  # classes before rows: see task_loss
    smoothing = label_smoothing.view(-1, 1, 1)
    spread = smoothing / outputs.shape[-1]
    if weight is not None:
        total = (weight if other_weight is None else weight + other_weight).unsqueeze(1)
        found, spread = found * total, spread * total
    for target, counts in targets:
        hit = smoothing - 1.0 if counts is None else (smoothing - 1.0) * counts.unsqueeze(1)
        found.scatter_add_(1, target.unsqueeze(1), hit.expand(-1, 1, target.shape[1]))
    return found.sub_(spread).mul_(share).transpose(1, 2)


def hits(outputs: torch.Tensor, y: torch.Tensor, task: str) -> torch.Tensor:
    """How many rows are right: those whose class has the largest of ``outputs`` [..., n, classes]; of rows with labels, the share that is.

    Returns:
        [...], float64. Whole numbers are summed, so that it does not matter in which order.
    """
    if task == "classification":
        return (outputs.argmax(-1) == y).sum(-1).double()
    return ((outputs > 0) == (y > 0)).sum((-1, -2)).double() / y.shape[-1]


@torch.inference_mode()
def outputs_of(model: nn.Module, x: torch.Tensor | Stream) -> torch.Tensor:
    """The model's fp32 outputs [n, outputs] for all rows, in evaluation mode; the model's mode is as before afterwards."""
    training = model.training
    model.eval()
    rows = max(1, CHUNK_BYTES // max(1, x.shape[1:].numel() * x.element_size()))
    outputs = torch.cat([model(lent(piece, model)) for piece in x.split(rows)])
    model.train(training)
    return outputs


def scores(outputs: torch.Tensor, y: torch.Tensor, task: str, *, target_scale: float = 1.0, auroc: bool = False) -> dict[str, torch.Tensor]:
    """Loss and scores of K models' outputs for the same rows, as float64 [K] on the device.

    Args:
        outputs: [K, n, classes] or [K, n, labels] logits, or [K, n, 1] standardised values.
        y: [n] classes or standardised values, or [n, labels] of 0 and 1.
        task: ``classification``, ``multilabel`` or ``regression``.
        target_scale: brings absolute errors back to the target's own units.
        auroc: whether to compute the area under the ROC curve, which sorts the scores of every class or label.
    """
    found = {"loss": lane_losses(outputs, y.expand(len(outputs), *y.shape), task).double()}
    if task == "classification":
        classes = outputs.argmax(-1)
        found["accuracy"] = metrics.accuracy(classes, y)
        found["f1_macro"] = metrics.f1_macro(classes, y, outputs.shape[-1])
        if auroc:
            found["auroc"] = metrics.auroc(outputs, y)
    elif task == "multilabel":
        found["accuracy"] = hits(outputs, y, task) / len(y)
        found["f1_macro"] = metrics.f1_labels(outputs > 0, y)
        if auroc:
            found["auroc"] = metrics.auroc_labels(outputs, y)
    else:
        values = outputs.squeeze(-1)
        found["mae"] = metrics.mae(values, y) * target_scale
        found["rmse"] = metrics.rmse(values, y) * target_scale
        found["r2"] = metrics.r2(values, y)
    return found


def evaluate(model: nn.Module, rows: Source, task: str, *, target_scale: float = 1.0, auroc: bool = False) -> dict[str, float]:
    """Loss and scores of a model on some rows: ``loss`` and ``accuracy``, ``f1_macro`` (``auroc``), or ``mae``, ``rmse``, ``r2``."""
    found = scores(outputs_of(model, rows.x).unsqueeze(0), rows.y, task, target_scale=target_scale, auroc=auroc)
    return dict(zip(found, torch.cat(list(found.values())).tolist(), strict=True))
