"""What training sees of the data: three parts of plain arrays, and what is needed to read its outputs again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sweeper.data.preprocess import Preprocessing
from sweeper.data.stream import Streamed, seen


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The rows of one part.

    Attributes:
        x: float32, ``[n, features]``, ``[n, time, features]`` or ``[n, channels, height, width]``; or token numbers, int64 ``[n, length]``.
            Streamed rows are read when they are asked for.
        y: class indices, int64 ``[n]``; 0 and 1 per label, float32 ``[n, labels]``; or the standardised target, float32 ``[n]``.
    """

    x: np.ndarray | Streamed
    y: np.ndarray

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.y)

    def seen(self) -> np.ndarray:
        """Inputs to look at: all of them; of streamed ones evenly spread rows."""
        return seen(self.x) if isinstance(self.x, Streamed) else self.x


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Train, validation and test parts that share one preprocessing, fitted on train only.

    Attributes:
        train: what models learn from.
        val: what configs are compared by.
        test: for the one test of the winner.
        task: ``classification``, ``multilabel`` or ``regression``.
        outputs: the number of classes or labels; 1 for regression.
        labels: the classes' names, in the order of their indices, or the labels'; empty for regression.
        target_mean: mean of the training part's target in its own unit; 0 for other tasks than regression.
        target_scale: standard deviation of the same: ``y * target_scale + target_mean`` has the original unit; 1 for other tasks.
        preprocessing: turns raw rows into ``x``, and outputs into labels or original units.
        hash: sha256 of the raw content, before any preparation.
        summary: rows per part, columns, filled gaps, dropped columns, class counts, duplicates, constant features; JSON-safe, for people.
        tokens: rows are token numbers below this, 0 is padding; 0: rows are numbers that mean what they say.
        synonyms: token numbers that may stand for a token number.
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
    tokens: int = 0
    synonyms: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row of ``x``: ``(features,)``, ``(time, features)``, ``(channels, height, width)`` or, for tokens, ``(length,)``."""
        return tuple(self.train.x.shape[1:])
