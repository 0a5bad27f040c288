"""The columns of a data set as people know them: one per table column, channel or series, with a name."""

from __future__ import annotations

import numpy as np

from sweeper.data.dataset import Dataset
from sweeper.data.inputs import TableInputs
from sweeper.data.stream import Streamed

MOST_ROWS = 20_000
"""Rows that statistics of features are taken from."""


def is_tokens(x: np.ndarray | Streamed) -> bool:
    """Whether rows are token ids, which are no quantities."""
    return x.dtype.kind in "iu"


def matrix(x: np.ndarray) -> np.ndarray:
    """Values by feature, float64 ``[m, features]``: a column of a table, a channel of images, one series of ``[time, features]``."""
    rows = x[:: max(1, len(x) // MOST_ROWS)]
    if rows.ndim > 3:
        rows = np.moveaxis(rows, 1, -1)
    return rows.reshape(-1, rows.shape[-1]).astype(np.float64)


def names(data: Dataset) -> list[str]:
    """A name for every column of ``matrix``."""
    inputs = data.preprocessing.inputs
    if isinstance(inputs, TableInputs):
        return [
            f"{column.name}={category}" if column.encoding == "onehot" else column.name
            for column in inputs.columns
            for category in (column.categories if column.encoding == "onehot" else ("",))
        ]
    shape = data.input_shape
    if len(shape) == 1:
        return [f"feature {index}" for index in range(shape[0])]
    kind, number = ("channel", shape[0]) if len(shape) > 2 else ("series", shape[1])
    return [f"{kind} {index}" for index in range(number)]
