"""Losses as JSON and interactive pages take them: what is not finite is null."""

from __future__ import annotations

import math

import numpy as np

from sweeper.lr_range.judge import Floats

Row = list[float | None]


def row_of(values: Floats) -> Row:
    """``[N]`` as a list."""
    return [value if math.isfinite(value) else None for value in values.tolist()]


def rows_of(values: Floats) -> list[Row]:
    """``[S, N]`` as a list of lists."""
    return [row_of(row) for row in values]


def array_of(rows: list[Row]) -> Floats:
    """What ``rows_of`` gave, with NaN for null."""
    return np.array([[math.nan if value is None else value for value in row] for row in rows], dtype=np.float64)
