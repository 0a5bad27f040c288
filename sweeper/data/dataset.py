"""What training sees of the data: three parts of plain arrays, and what is needed to read its outputs again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeper.data.preprocess import Preprocessing


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The rows of one part.

    Attributes:
        x: float32, ``[n, features]`` or ``[n, channels, height, width]``.
        y: class indices, int64 ``[n]``; or the standardised target, float32 ``[n]``.
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.y)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Train, validation and test parts that share one preprocessing, fitted on train only.

    Attributes:
        train: what models learn from.
        val: what configs are compared by.
        test: for the one test of the winner.
        task: ``classification`` or ``regression``.
        outputs: the number of classes; 1 for regression.
        labels: the classes' names, in the order of their indices; empty for regression.
        target_mean: mean of the training part's target in its own unit; 0 for classification.
        target_scale: standard deviation of the same: ``y * target_scale + target_mean`` has the original unit; 1 for classification.
        preprocessing: turns raw rows into ``x``, and outputs into labels or original units.
        hash: sha256 of the raw content, before any preparation.
        summary: rows per part, columns, filled gaps, dropped columns, class counts; JSON-safe, for people.
    """

    train: Part
    val: Part
    test: Part
    task: str
    outputs: int
    labels: tuple[str, ...]
    target_mean: float
    target_scale: float
    preprocessing: Preprocessing
    hash: str
    summary: dict[str, Any]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row of ``x``: ``(features,)`` or ``(channels, height, width)``."""
        return tuple(self.train.x.shape[1:])
