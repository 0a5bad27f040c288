"""Rows that are prepared when they are needed, for data beyond memory; labels stay in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.data.readers import Reader, pieces

if TYPE_CHECKING:
    from sweeper.config.schema import Data
    from sweeper.data.preprocess import Preprocessing

SHARE, LEAST = 1 / 8, 256 * 2**20
"""Of the free memory, and in bytes: data that would take more than both once prepared is streamed by ``stream: auto``. On its way into
memory it takes some six times as much."""

PREPARED_BYTES = 2**20
"""Of rows that are prepared at a time: few enough for a processor's cache, in double precision too."""

SEEN_ROWS, SEEN_BYTES = 5000, 32 * 2**20
"""What those who only look at streamed rows take of them, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """The prepared inputs of a part, as far as an array: a shape, a length, and rows by number, mask or slice.

    Attributes:
        reader: where the raw rows are.
        rows: which of them belong to the part, int64 ``[n]``.
        preprocessing: what makes raw rows into inputs.
        workers: processes that read ahead in training.
    """

    reader: Reader
    rows: np.ndarray
    preprocessing: Preprocessing
    workers: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """As if it were an array."""
        return (len(self.rows), *self.reader.shape[1:])

    @property
    def ndim(self) -> int:
        """Dimensions, rows included."""
        return len(self.reader.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the prepared rows."""
        return np.dtype(np.int64 if self.preprocessing.tokens else np.float32)

    @property
    def row_bytes(self) -> int:
        """Of a prepared row."""
        return int(np.prod(self.shape[1:])) * self.dtype.itemsize

    def __getitem__(self, index: Any) -> np.ndarray:
        chosen = self.rows[index]
        rows = np.atleast_1d(chosen)
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        size = max(1, PREPARED_BYTES // self.row_bytes)
        raw = self.reader.read(rows)
        for begin in range(0, len(rows), size):
            found[begin : begin + size] = self.preprocessing.transform(raw[begin : begin + size])
        return np.asarray(found if np.ndim(chosen) else found[0])

    def pieces(self) -> Iterator[np.ndarray]:
        """All rows, some at a time."""
        for raw in pieces(self.reader, self.rows):
            yield self.preprocessing.transform(raw)


@lru_cache(maxsize=3)
def seen(x: Streamed) -> np.ndarray:
    """Evenly spread rows to look at; kept for the next look, since reading images takes time."""
    number = max(1, min(len(x), SEEN_ROWS, SEEN_BYTES // x.row_bytes))
    return x[np.linspace(0, len(x) - 1, number).astype(np.int64)]


def wanted(data: Data, shape: tuple[int, ...]) -> bool:
    """Whether data of this shape is streamed: as ``data.stream`` says, or by its size against the free memory."""
    return bool(data.stream) if data.stream != "auto" else int(np.prod(shape)) * 4 > max(LEAST, SHARE * free_memory())


def free_memory() -> int:
    """Bytes of this machine's memory that are free, within this container's limit."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if (meminfo := Path("/proc/meminfo")).is_file():  # pages of the file cache are free too
        available = next((line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:")), "")
        free = int(available.split()[1]) * 1024 if available else free
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and (text := limit.read_text().strip()) != "max":
        kept = dict(line.split() for line in (limit.parent / "memory.stat").read_text().splitlines())
        free = min(free, int(text) - int(used.read_text()) + int(kept.get("inactive_file", 0)))  # the file cache, once more
    return max(free, 0)


def row_hashes(x: np.ndarray) -> np.ndarray:
    """A number per row that is the same where rows are, int64 ``[n]``."""
    return np.fromiter((hash(row.tobytes()) for row in np.ascontiguousarray(x)), np.int64, len(x))


class Look:
    """What one pass over raw rows in the source's order finds out, in little memory.

    Attributes:
        broken: rows that hold NaN or infinite numbers.
        first: the first of them, from 0 on; -1 where there is none.
    """

    def __init__(self) -> None:
        self.broken = 0
        self.first = -1
        self._hashes: list[np.ndarray] = []
        self._rows = 0

    def at(self, raw: np.ndarray) -> None:
        """Looks at the next rows."""
        if raw.dtype.kind == "f":
            wrong = ~np.isfinite(raw.reshape(len(raw), -1)).all(axis=1)
            if wrong.any() and not self.broken:
                self.first = self._rows + int(wrong.argmax())
            self.broken += int(wrong.sum())
        self._hashes.append(row_hashes(raw))
        self._rows += len(raw)

    @classmethod
    def over(cls, reader: Reader) -> Look:
        """At all rows."""
        found = cls()
        for raw in pieces(reader, np.arange(reader.shape[0])):
            found.at(raw)
        return found

    @property
    def hashes(self) -> np.ndarray:
        """A number per row that is the same where rows are, int64 ``[n]``."""
        return np.concatenate(self._hashes)


class Constancy:
    """Which numbers of a row are the same in all rows that pass through it.

    Attributes:
        same: bool, as a row.
    """

    def __init__(self) -> None:
        self.same = np.empty(0, dtype=bool)
        self._first: np.ndarray | None = None

    def watch(self, raw: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Hands the pieces on."""
        for piece in raw:
            if self._first is None:
                self._first, self.same = piece[:1].copy(), np.ones(piece.shape[1:], dtype=bool)
            self.same &= (piece == self._first).all(0)
            yield piece
