"""What an exported model does with the validation part: where it is right, where it is surely wrong, and its layers from inside.

Plain data, made once after training; ``sweeper.tracking.insight`` draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from sweeper.core import monitor
from sweeper.core.batches import Source, rows_of
from sweeper.core.evaluate import outputs_of, task_loss
from sweeper.core.loop import pick_device
from sweeper.core.sizes import size_of
from sweeper.data.dataset import Dataset
from sweeper.data.inputs import TableInputs
from sweeper.production.model import Model, load_model

WORST = 16
"""So many rows are shown."""

LARGEST_IMAGE = 64
"""Pixels of a side; larger images are thinned out, so that the file stays small."""

MOST_POINTS = 2000
"""Rows of a regression that are drawn."""

MOST_INPUTS = 6
"""Of a row of a table: those farthest from the mean."""


def insight_of(model_dir: Path, data: Dataset, *, device: str = "cpu") -> dict[str, Any]:
    """Scores by class or label, the rows that are most confidently wrong, and the layers, on the validation part; JSON-safe.

    Args:
        model_dir: as for ``load_model``.
        data: prepared as in training.
        device: as for ``load_model``.

    Returns:
        ``task``, ``rows``, ``size`` (``parameters`` and ``flops_per_row``), ``layers`` (per layer: size and gradient of its weights, mean,
        standard deviation and dead share of its activation) and, by task: ``labels``, ``classes``, ``confusion`` [true][said], ``wrong``;
        ``classes`` (of labels) and ``wrong``; or ``points`` [[true, predicted], ...] in the target's unit and ``wrong``.

    Raises:
        InputError: there is no model, or it is damaged.
    """
    model = load_model(model_dir, device=device)
    part = rows_of(data.val, pick_device(device))
    outputs = outputs_of(model.net, part.x).double().cpu()
    found = {"classification": _classes, "multilabel": _labels, "regression": _values}[data.task](outputs, data)
    size = size_of(model.net, part.x.shape[1:], data.tokens)
    told = {"parameters": size.parameters, "flops_per_row": size.flops}
    return {"task": data.task, "rows": len(part), "size": told, **found, "layers": layers_of(model, part, data.task)}


def layers_of(model: Model, part: Source, task: str) -> list[dict[str, Any]]:
    """The watched tensors and the activations of a model on the probed rows, input side first."""
    probe = part.take(slice(monitor.PROBE_ROWS))
    net = model.net
    names = monitor.watched(net)
    tensors = [net.get_parameter(name) for name in names]
    with torch.enable_grad():
        loss = task_loss(net(probe.x), probe.y, task)
        gradients = torch.autograd.grad(loss, tensors, allow_unused=True) if tensors else ()
    layers: list[dict[str, Any]] = [
        {
            "name": name,
            "shape": list(tensor.shape),
            "weight_norm": float(tensor.detach().norm()),
            "weight_std": float(tensor.detach().std(correction=0)),
            "grad_mean_abs": 0.0 if gradient is None else float(gradient.abs().mean()),
        }
        for name, tensor, gradient in zip(names, tensors, gradients, strict=True)
    ]
    for number, activation in enumerate(monitor.activations_of(net, probe.x)):
        numbers = {name: float(value) for name, value in monitor.activations([activation]).items()}
        layers.append({"name": f"activation {number + 1}", "shape": list(activation.shape[2:]), **numbers})
    return layers


def _classes(outputs: torch.Tensor, data: Dataset) -> dict[str, Any]:
    y = data.val.y
    chances = torch.softmax(outputs, 1).numpy()
    said = chances.argmax(1)
    every = np.arange(data.outputs)
    sure = np.where(said != y, chances.max(1), -1.0)
    wrong = [
        {
            "row": int(row),
            "true": data.labels[y[row]],
            "said": data.labels[said[row]],
            "probability": float(chances[row, said[row]]),
            **_shown(data, row),
        }
        for row in _largest(sure)
        if sure[row] >= 0
    ]
    return {
        "labels": list(data.labels),
        "classes": _table(data.labels, precision_recall_fscore_support(y, said, labels=every, zero_division=0)),
        "confusion": confusion_matrix(y, said, labels=every).tolist(),
        "wrong": wrong,
    }


def _labels(outputs: torch.Tensor, data: Dataset) -> dict[str, Any]:
    y = data.val.y > 0.5
    chances = torch.sigmoid(outputs).numpy()
    said = chances > 0.5
    sure = np.where(said != y, np.abs(chances - 0.5), -1.0)
    wrong = [
        {
            "row": int(row),
            "label": data.labels[label],
            "true": bool(y[row, label]),
            "said": bool(said[row, label]),
            "probability": float(chances[row, label]),
            **_shown(data, row),
        }
        for row, label in (divmod(int(place), y.shape[1]) for place in _largest(sure.reshape(-1)))
        if sure[row, label] >= 0
    ]
    return {"classes": _table(data.labels, precision_recall_fscore_support(y, said, average=None, zero_division=0)), "wrong": wrong}


def _values(outputs: torch.Tensor, data: Dataset) -> dict[str, Any]:
    true, said = (data.preprocessing.decode(values) for values in (data.val.y, outputs.numpy()))
    error = said - true
    drawn = np.unique(np.linspace(0, len(true) - 1, min(len(true), MOST_POINTS)).astype(int))
    wrong = [{"row": int(row), "true": float(true[row]), "said": float(said[row]), **_shown(data, row)} for row in _largest(np.abs(error))]
    return {
        "target": data.preprocessing.target.name,
        "points": [[float(true[row]), float(said[row])] for row in drawn],
        "residuals": {"mean": float(error.mean()), "std": float(error.std())},
        "wrong": wrong,
    }


def _largest(values: np.ndarray) -> np.ndarray:
    """Places of the largest values, the largest first; of equal ones the earlier."""
    return np.argsort(-values, kind="stable")[:WORST]


def _table(labels: Sequence[str], columns: Any) -> list[dict[str, Any]]:
    """scikit-learn's four columns, row by row."""
    precision, recall, f1, rows = columns
    return [
        {"label": label, "precision": float(precision[n]), "recall": float(recall[n]), "f1": float(f1[n]), "rows": int(rows[n])}
        for n, label in enumerate(labels)
    ]


def _shown(data: Dataset, row: int) -> dict[str, Any]:
    """What people see of a row: an image, the words' numbers, or the inputs that are farthest from their mean."""
    x = data.val.x[row]
    if data.tokens:
        return {"tokens": [int(token) for token in x[:30] if token]}
    if x.ndim == 3 and x.shape[0] in (1, 3):
        thin = -(-max(x.shape[1:]) // LARGEST_IMAGE)
        return {"image": np.round(x[:, ::thin, ::thin], 3).tolist()}
    if x.ndim != 1:
        return {}
    names = _names(data, len(x))
    return {"inputs": {names[place]: round(float(x[place]), 2) for place in np.argsort(-np.abs(x), kind="stable")[:MOST_INPUTS]}}


def _names(data: Dataset, width: int) -> list[str]:
    """Of the inputs: their columns', or numbers where text columns take several inputs or there is no table."""
    inputs = data.preprocessing.inputs
    if isinstance(inputs, TableInputs) and len(inputs.names) == width:
        return list(inputs.names)
    return [f"input {place}" for place in range(width)]
