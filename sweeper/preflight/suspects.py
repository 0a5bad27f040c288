"""Features that spoil a search though every value of them is valid: ruled by a few far values, or giving the target away."""

from __future__ import annotations

import numpy as np

from sweeper.data.dataset import Dataset
from sweeper.data.inputs import TableInputs
from sweeper.preflight.features import MOST_ROWS, is_tokens, matrix, names
from sweeper.preflight.finding import Finding, listed, passed, warned

SQUEEZED = 0.02
"""Distance of a feature's quartiles, in its standard deviations, below which a few far values rule its scale; a normal one has 1.35."""

SOME_ROWS = 1000
"""Rows that tell quartiles well enough, and that a column which is no order of the target is hardly ever an order of."""

LEAST = 5
"""Rows of the rarest class from which on a column that tells all classes apart is no coincidence."""

REPEATED = 10
"""Rows per category from which on categories of one class each are no coincidence, and rows of a regression from which on an order is."""


def far_values(data: Dataset) -> Finding | None:
    """Whether a few values lie so far out that scaling leaves no difference between all others; None for tokens."""
    check = "far values"
    if is_tokens(data.train.x):
        return None
    values = matrix(data.train.seen())
    low, high = np.quantile(values[:: max(1, len(values) // SOME_ROWS)], (0.25, 0.75), axis=0)
    std = values.std(0)
    ruled = np.flatnonzero((high > low) & (high - low < SQUEEZED * std))
    if not len(ruled):
        return passed(check, "of no feature a few values rule the scale")
    every = names(data)
    told = listed([f"{every[i]} (half of the rows lie within {(high[i] - low[i]) / std[i]:.1g} standard deviations)" for i in ruled], 3)
    return warned(
        check, f"a few far values rule the scale of {told}", "look at these rows (a code for a gap?), or take the logarithm", "data.source"
    )


def given_away(data: Dataset) -> Finding | None:
    """Whether a single column tells the target of every training row; None where that is not looked for.

    A number does if its order is that of the classes, or of the values of a regression; a category if all of its rows are of one class.
    Such a column is mostly a copy of the target, or was written when that was known.
    """
    check = "given away"
    x, y = data.train.seen(), data.train.y
    if x.ndim != 2 or is_tokens(x) or data.task == "multilabel" or len(x) < len(y):
        return None
    if data.task == "classification" and np.bincount(y, minlength=data.outputs).min() < LEAST:
        return None
    every = slice(None, None, max(1, len(x) // MOST_ROWS))
    x, y = x[every], y[every]
    found = [
        name for name, block, words in _columns(data, x) if (_names(block, y, data.task) if words else _orders(block[:, 0], y, data.task))
    ]
    if not found:
        return passed(check, "no single column tells the target")
    remedy = "leave out what is not known when a prediction is made: data.drop"
    return warned(check, f"{listed(found)} alone tells the target of all {len(y)} training rows", remedy, "data.drop")


def _columns(data: Dataset, x: np.ndarray) -> list[tuple[str, np.ndarray, bool]]:
    """Every column's name and features ``[n, width]``, and whether it holds categories."""
    inputs = data.preprocessing.inputs
    if not isinstance(inputs, TableInputs):
        return [(name, x[:, [index]], False) for index, name in enumerate(names(data))]
    ends = np.cumsum([column.width for column in inputs.columns])
    blocks = ((column, x[:, end - column.width : end]) for column, end in zip(inputs.columns, ends, strict=True))
    return [(column.name, block, column.kind == "text") for column, block in blocks]


def _names(block: np.ndarray, y: np.ndarray, task: str) -> bool:
    """Whether all rows of a category are of one class, and its rows are many."""
    kinds = block.argmax(1) if block.shape[1] > 1 else np.unique(block[:, 0], return_inverse=True)[1]
    present = np.unique(kinds)
    repeated = len(y) >= REPEATED * len(present)
    return task == "classification" and repeated and all(len(np.unique(y[kinds == kind])) == 1 for kind in present)


def _orders(values: np.ndarray, y: np.ndarray, task: str) -> bool:
    """Whether rows in the order of a number are in the order of the target: equal numbers have equal targets, and each class one place."""
    if len(y) > SOME_ROWS and not _orders(values[:SOME_ROWS], y[:SOME_ROWS], task):
        return False  # far sooner than by all rows
    order = np.argsort(values, kind="stable")
    values, y = values[order], y[order]
    if (np.diff(y)[np.diff(values) == 0] != 0).any():
        return False
    steps = np.diff(y)
    if task == "regression":
        return len(y) >= REPEATED and bool((steps >= 0).all() or (steps <= 0).all())
    return int(np.count_nonzero(steps)) == len(np.unique(y)) - 1
