"""Scores in torch, on the device, of K models at once; nothing is brought to the host."""

from __future__ import annotations

import torch


def accuracy(classes: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Share of ``classes`` [K, n] that equal ``y`` [n]; [K]."""
    return (classes == y).double().mean(-1)


def confusion(classes: torch.Tensor, y: torch.Tensor, outputs: int) -> torch.Tensor:
    """How many rows of each class of ``y`` [n] (second axis) were taken for which of ``classes`` [K, n] (third); float64 [K, C, C]."""
    lanes = len(classes)
    cell = torch.arange(lanes, device=y.device).unsqueeze(1) * outputs * outputs + y * outputs + classes
    return torch.bincount(cell.flatten(), minlength=lanes * outputs * outputs).reshape(lanes, outputs, outputs).double()


def recalls(classes: torch.Tensor, y: torch.Tensor, outputs: int) -> torch.Tensor:
    """Share of the rows of each class of ``y`` [n] that ``classes`` [K, n] have right; [K, C], NaN for a class that does not occur."""
    found = confusion(classes, y, outputs)
    return found.diagonal(dim1=1, dim2=2) / found.sum(2)


def f1_macro(classes: torch.Tensor, y: torch.Tensor, outputs: int) -> torch.Tensor:
    """Unweighted mean of the classes' F1 over the classes that occur in ``classes`` [K, n] or ``y`` [n]; [K].

    A class that occurs but is never right has F1 0, as in scikit-learn's ``f1_score(average="macro", zero_division=0)``.
    """
    found = confusion(classes, y, outputs)
    occurring = found.sum(1) + found.sum(2)
    f1 = 2.0 * found.diagonal(dim1=1, dim2=2) / occurring.clamp(min=1.0)
    return f1.sum(-1) / (occurring > 0).double().sum(-1)


def f1_labels(chosen: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Unweighted mean of the labels' F1 over the labels that some row of ``chosen`` [K, n, labels] or ``y`` [n, labels] has; [K].

    Equals scikit-learn's ``f1_score(average="macro", zero_division=nan)``; 0 where no row has any label.
    """
    truth = (y > 0).double()
    hit = (chosen.double() * truth).sum(-2)
    occurring = chosen.double().sum(-2) + truth.sum(-2)
    f1 = 2.0 * hit / occurring.clamp(min=1.0)
    return f1.sum(-1) / (occurring > 0).double().sum(-1).clamp(min=1.0)


def binary_auroc(scores: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """Area under the ROC curve from ranks (Mann & Whitney, 1947); tied scores share their mean rank.

    Args:
        scores: [n], higher means more likely positive.
        positive: [n] booleans.

    Returns:
        A scalar; NaN when only one of the two classes is present.
    """
    _, group, size = torch.unique(scores, return_inverse=True, return_counts=True)
    last = size.cumsum(0).double()
    rank = (last - (size.double() - 1.0) / 2.0)[group]
    positives = positive.double().sum()
    negatives = positive.numel() - positives
    area: torch.Tensor = ((rank * positive).sum() - positives * (positives + 1.0) / 2.0) / (positives * negatives)
    return area


def auroc(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Area under the ROC curve of ``logits`` [K, n, classes]: of class 1 for two classes, else the unweighted mean of one against the rest.

    Equals scikit-learn's ``roc_auc_score(multi_class="ovr", average="macro")`` on the softmax. A class that is
    missing from ``y`` [n] is left out of the mean; NaN when that leaves none.

    Returns:
        [K].
    """
    scores = torch.softmax(logits.double(), -1)
    classes = [1] if logits.shape[-1] == 2 else range(logits.shape[-1])
    return torch.stack([torch.stack([binary_auroc(lane[:, k], y == k) for k in classes]).nanmean() for lane in scores])


def auroc_labels(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Unweighted mean over the labels of the area under the ROC curve of ``logits`` [K, n, labels].

    Equals scikit-learn's ``roc_auc_score(average="macro")``. A label that every row of ``y`` [n, labels] has, or none, is left out of the
    mean; NaN when that leaves none.

    Returns:
        [K].
    """
    labels = range(logits.shape[-1])
    return torch.stack([torch.stack([binary_auroc(lane[:, k], y[:, k] > 0) for k in labels]).nanmean() for lane in logits.double()])


def mae(values: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean absolute error of ``values`` [K, n] against ``y`` [n]; [K]."""
    return (values.double() - y.double()).abs().mean(-1)


def rmse(values: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Root of the mean squared error of ``values`` [K, n] against ``y`` [n]; [K]."""
    return (values.double() - y.double()).square().mean(-1).sqrt()


def r2(values: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Share of the variance of ``y`` [n] that ``values`` [K, n] explain, [K]; 0 is the mean's score.

    Where ``y`` is constant: 1 if it is hit exactly, else 0, as in scikit-learn's ``r2_score``.
    """
    error = (values.double() - y.double()).square().sum(-1)
    spread = (y.double() - y.double().mean()).square().sum()
    constant = torch.where(error == 0, 1.0, torch.where(error.isfinite(), 0.0, torch.nan))
    return torch.where(spread == 0, constant, 1.0 - error / spread)
