"""What a source holds, whatever kind of source it is, and the hash by which it is known again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.data.readers import Reader, pieces
from sweeper.data.stream import Look

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a source holds, before anything is chosen from it.

    Attributes:
        name: the source for people: its name, or the path of what was read.
        inputs: a table that may still hold the target; or an array ``[n, features]``, ``[n, time, features]`` or
            ``[n, channels, height, width]``, or what reads its rows where they are streamed.
        hash: sha256 of the raw content.
        series: what else there is per row, by name: the columns of a table, the one-dimensional arrays beside an array of inputs.
        target: the name of the target unless the config says otherwise; None when it must.
        matrix: the target where it is an array of several labels per row: a column each.
        given: row numbers by part, where the source divides its rows itself; ``train`` among them.
        text: the column of texts unless the config says otherwise; None for inputs of another kind.
        notes: what else the summary should tell.
        look: what a pass over the inputs found, where they are streamed.
    """

    name: str
    inputs: pd.DataFrame | np.ndarray | Reader
    hash: str
    series: dict[str, pd.Series[Any]] = field(default_factory=dict)
    target: str | None = None
    matrix: pd.DataFrame | None = None
    given: Mapping[str, np.ndarray] = field(default_factory=dict)
    text: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    look: Look | None = None


def content_hash(*arrays: np.ndarray | Reader) -> str:
    """sha256 of the arrays' types, shapes and values, the same on every machine, and whether they are in memory or not."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(_heading(array))
        for piece in pieces(array, np.arange(array.shape[0])) if isinstance(array, Reader) else (array,):
            digest.update(little(piece))
    return digest.hexdigest()


def started_hash(reader: Reader) -> hashlib._Hash:
    """The sha256 that, fed with all rows as ``little`` gives them, is ``content_hash``."""
    return hashlib.sha256(_heading(reader))


def little(piece: np.ndarray) -> bytes:
    """The numbers, the same on every machine."""
    return np.ascontiguousarray(piece, dtype=piece.dtype.newbyteorder("<")).tobytes()


def _heading(array: np.ndarray | Reader) -> bytes:
    return f"{array.dtype.newbyteorder('<').str}{list(array.shape)}".encode()


def file_hash(*files: Path) -> str:
    """sha256 of the files' bytes, which are read in pieces; of several files, of their names and hashes."""
    digests = []
    for file in files:
        with file.open("rb") as opened:
            digests.append(hashlib.file_digest(opened, "sha256").hexdigest())
    named = "".join(f"{file.name}\0{one}\0" for file, one in zip(files, digests, strict=True))
    return digests[0] if len(digests) == 1 else hashlib.sha256(named.encode()).hexdigest()


def table_hash(table: pd.DataFrame) -> str:
    """sha256 of the columns' names, kinds and values, the same on every machine."""
    import pandas as pd
    from pandas.api.types import infer_dtype

    names = np.array([f"{name}:{infer_dtype(values)}" for name, values in table.items()])
    return content_hash(names, pd.util.hash_pandas_object(table, index=False).to_numpy())
