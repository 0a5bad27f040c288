"""What a source holds, whatever kind of source it is, and the hash by which it is known again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a source holds, before anything is chosen from it.

    Attributes:
        name: the source for people: its name, or the path of what was read.
        inputs: a table that may still hold the target; or an array ``[n, features]``, ``[n, time, features]`` or
            ``[n, channels, height, width]``.
        hash: sha256 of the raw content.
        series: what else there is per row, by name: the columns of a table, the one-dimensional arrays beside an array of inputs.
        target: the name of the target unless the config says otherwise; None when it must.
        matrix: the target where it is an array of several labels per row: a column each.
        given: row numbers by part, where the source divides its rows itself; ``train`` among them.
        text: the column of texts unless the config says otherwise; None for inputs of another kind.
        notes: what else the summary should tell.
    """

    name: str
    inputs: pd.DataFrame | np.ndarray
    hash: str
    series: dict[str, pd.Series[Any]] = field(default_factory=dict)
    target: str | None = None
    matrix: pd.DataFrame | None = None
    given: Mapping[str, np.ndarray] = field(default_factory=dict)
    text: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


def content_hash(*arrays: np.ndarray) -> str:
    """sha256 of the arrays' types, shapes and values, the same on every machine."""
    digest = hashlib.sha256()
    for array in arrays:
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{little.dtype.str}{list(little.shape)}".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def table_hash(table: pd.DataFrame) -> str:
    """sha256 of the columns' names, kinds and values, the same on every machine."""
    import pandas as pd
    from pandas.api.types import infer_dtype

    names = np.array([f"{name}:{infer_dtype(values)}" for name, values in table.items()])
    return content_hash(names, pd.util.hash_pandas_object(table, index=False).to_numpy())
