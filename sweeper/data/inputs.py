"""Fitted preprocessing of a whole table or array: raw rows to what a model sees, with NumPy and pandas alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.data.columns import Column
from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class TableInputs:
    """Input columns, in the order in which their numbers stand side by side."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    def transform(self, table: pd.DataFrame | np.ndarray, source: str) -> np.ndarray:
        """Numbers, float64 ``[n, features]``.

        Raises:
            InputError: columns are missing, or hold values that do not fit: all of them at once.
        """
        named = self._named(table, source)
        blocks: list[np.ndarray] = []
        problems: list[Problem] = []
        for column in self.columns:
            try:
                blocks.append(column.transform(named[column.name], source))
            except InputError as error:
                problems.extend(error.problems)
        if problems:
            raise InputError(problems)
        return np.concatenate(blocks, axis=1)

    def _named(self, table: pd.DataFrame | np.ndarray, source: str) -> pd.DataFrame:
        """The table, with every input column present."""
        import pandas as pd

        if isinstance(table, np.ndarray):
            if table.ndim != 2 or table.shape[1] != len(self.columns):
                listed = ", ".join(self.names[:8]) + (", ..." if len(self.names) > 8 else "")
                raise InputError.of(source, "", f"an array of shape {list(table.shape)}", f"[rows, {len(self.names)}]: {listed}")
            return pd.DataFrame(table, columns=list(self.names))
        if not isinstance(table, pd.DataFrame):
            allowed = "a table (pandas.DataFrame), or an array of its values"
            one = isinstance(table, dict | pd.Series)
            hint = "pandas.DataFrame([row])" if one else "pandas.read_csv(path)" if isinstance(table, str) else "pandas.DataFrame(rows)"
            raise InputError.of(source, "", f"rows of type {type(table).__name__}", allowed, hint)
        renamed = table.rename(columns=str)
        absent = [name for name in self.names if name not in renamed]
        if absent:
            raise InputError(
                Problem(source, "", f"has no column {name!r}", "every column that was an input in training") for name in absent
            )
        return renamed

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"columns": [column.to_json() for column in self.columns]}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> TableInputs:
        """What ``to_json`` wrote."""
        return cls(tuple(Column.from_json(column) for column in tree["columns"]))


def scaled_axis(dimensions: int) -> int:
    """Which axis of a row of so many dimensions holds the features (of a table or a series) or the channels (of an image)."""
    return 1 if dimensions == 2 else 0


@dataclass(frozen=True, slots=True)
class ArrayInputs:
    """The fitted numbers of an array without named columns.

    Attributes:
        shape: of one row: ``(features,)``, ``(time, features)`` or ``(channels, height, width)``.
        offset: per feature or channel, subtracted.
        scale: per feature or channel, then divided by; never 0.
    """

    shape: tuple[int, ...]
    offset: tuple[float, ...]
    scale: tuple[float, ...]

    def transform(self, table: pd.DataFrame | np.ndarray, source: str) -> np.ndarray:
        """Numbers, float64 ``[n, *shape]``; images and series may also come as flat rows, ``[n, channels * height * width]``.

        Raises:
            InputError: the shape of a row differs from that of training, or a value is not a finite number.
        """
        rows = np.asarray(table)
        if rows.ndim == 2 and rows.shape[1] == int(np.prod(self.shape)):
            rows = rows.reshape(len(rows), *self.shape)
        if tuple(rows.shape[1:]) != self.shape:
            raise InputError.of(source, "", f"rows of shape {list(rows.shape[1:])}", f"rows of shape {list(self.shape)}, as in training")
        if rows.dtype.kind not in "biuf":
            raise InputError.of(source, "", f"an array of type {rows.dtype}", "an array of numbers")
        values = rows.astype(np.float64)
        finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        if not finite.all():
            raise InputError.of(source, "", f"NaN or infinite values, the first in row {int((~finite).argmax()) + 1}", "finite numbers")
        axes = tuple(-1 if axis == scaled_axis(len(self.shape)) else 1 for axis in range(len(self.shape)))
        values -= np.reshape(self.offset, axes)
        values /= np.reshape(self.scale, axes)
        return values

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"shape": list(self.shape), "offset": list(self.offset), "scale": list(self.scale)}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> ArrayInputs:
        """What ``to_json`` wrote."""
        return cls(tuple(tree["shape"]), tuple(tree["offset"]), tuple(tree["scale"]))
