"""Raw rows that stay where they are until they are asked for, and travel to other processes as the way to them."""

from __future__ import annotations

import mmap
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from sweeper.errors import InputError

PIECE_BYTES = 16 * 2**20
"""Raw rows that are read at a time when all of them are gone through; fixed, since sums over pieces depend on where these end."""

MAPPED_BYTES, AROUND = 64 * 2**20, 2 * 2**20
"""Of a mapped file that are visited before its pages are let go; and what the kernel may map around a single row."""


class Reader(ABC):
    """An array of raw rows ``[n, features]``, ``[n, time, features]`` or ``[n, channels, height, width]`` that is not in memory.

    Pickled, it is the way to the rows (a path, a function's name), never the rows.

    Attributes:
        shape: of the whole array.
        dtype: of its numbers.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @abstractmethod
    def read(self, rows: np.ndarray) -> np.ndarray:
        """The rows of these numbers, in this order."""

    @abstractmethod
    def told(self) -> dict[str, Any]:
        """The way to the rows as plain data (see ``sweeper.data.elsewhere``)."""


def pieces(source: np.ndarray | Reader, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of these numbers, some at a time: the same cuts whether they are in memory or not."""
    size = piece_rows(source.shape, source.dtype)
    for begin in range(0, len(rows), size):
        chosen = rows[begin : begin + size]
        yield source[chosen] if isinstance(source, np.ndarray) else source.read(chosen)


def piece_rows(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """How many rows of an array of this shape make a piece."""
    return max(1, PIECE_BYTES // max(1, int(np.prod(shape[1:])) * dtype.itemsize))


class Mapped(Reader):
    """An array in a file: a ``.npy`` file, a member of an ``.npz`` file that is not compressed, or what a ``numpy.memmap`` maps.

    Args:
        path: of the file; absolute, for workers stand elsewhere.
        offset: bytes before the array.
        shape: of the array; ``[n]`` is ``[n, 1]``.
        dtype: of its numbers.
    """

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.path = path
        self.offset = offset
        self.shape = shape if len(shape) > 1 else (*shape, 1)
        self.dtype = dtype
        self._map: mmap.mmap | None = None
        self._array = np.empty(0)

    def __reduce__(self) -> tuple[type[Mapped], tuple[Path, int, tuple[int, ...], np.dtype[Any]]]:
        return Mapped, (self.path, self.offset, self.shape, self.dtype)

    def told(self) -> dict[str, Any]:
        """File, place, shape and type."""
        return {"mapped": str(self.path), "offset": self.offset, "shape": list(self.shape), "dtype": self.dtype.str}

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The rows, which are visited in the file's order.

        Raises:
            InputError: the file is gone or shorter than it was.
        """
        opened = self._opened()
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        order = np.argsort(rows, kind="stable")
        row_bytes = self._array[:1].nbytes
        steps = np.diff(rows[order], prepend=-1) * row_bytes
        visited = np.cumsum(np.clip(steps, row_bytes, max(AROUND, row_bytes))) // MAPPED_BYTES
        for places in np.split(order, np.flatnonzero(np.diff(visited)) + 1):
            found[places] = self._array[rows[places]]
            # They stay in the system's cache, but no longer count as this process's memory.
            opened.madvise(mmap.MADV_DONTNEED)
        return found

    def _opened(self) -> mmap.mmap:
        """The file, opened once in each process."""
        if self._map is None:
            try:
                with self.path.open("rb") as file:
                    self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                count = int(np.prod(self.shape))
                self._array = np.frombuffer(self._map, self.dtype, count, self.offset).reshape(self.shape)
            except (OSError, ValueError) as error:
                raise InputError.of(str(self.path), "data.source", f"cannot be read: {error}", "the file as it was") from error
        return self._map


class Joined(Reader):
    """Several arrays of equal rows, one after another."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = readers
        self._ends = np.cumsum([reader.shape[0] for reader in readers])
        self.shape = (int(self._ends[-1]), *readers[0].shape[1:])
        self.dtype = readers[0].dtype

    def told(self) -> dict[str, Any]:
        """Each of them."""
        return {"joined": [reader.told() for reader in self._readers]}

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The rows of these numbers, each from its array."""
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        owner = np.searchsorted(self._ends, rows, side="right")
        for number, reader in enumerate(self._readers):
            places = np.flatnonzero(owner == number)
            if len(places):
                found[places] = reader.read(rows[places] - (self._ends[number] - reader.shape[0]))
        return found


def joined(readers: Sequence[Reader]) -> Reader:
    """One after another, as one."""
    return readers[0] if len(readers) == 1 else Joined(readers)


def map_of(array: Any) -> Mapped | None:
    """The file that a ``numpy.memmap`` is the whole of its array in; None for everything else, views of one included."""
    if type(array) is np.memmap and isinstance(array.base, mmap.mmap) and array.flags.c_contiguous and array.filename is not None:
        return Mapped(Path(array.filename).absolute(), array.offset, array.shape, array.dtype)
    return None


def map_npy(path: Path) -> Mapped:
    """The array of a ``.npy`` file.

    Raises:
        InputError: it is not one that can be mapped.
    """
    with path.open("rb") as file:
        return _mapped(path, file, str(path))


def map_npz(path: Path, key: str) -> Mapped | None:
    """A member of an ``.npz`` file; None where it is compressed and has to be unpacked as a whole.

    Raises:
        InputError: it is not an array that can be mapped.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        member = archive.getinfo(f"{key}.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            return None
        file.seek(member.header_offset + 26)  # where the local header says how long its two texts are, after 30 bytes
        texts = np.frombuffer(file.read(4), "<u2")
        file.seek(member.header_offset + 30 + int(texts.sum()))
        return _mapped(path, file, f"{path}: array {key!r}")


def npz_header(path: Path, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of a member of an ``.npz`` file, from its first bytes."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
        shape, _, dtype = _header(file)
        return shape, dtype


def _mapped(path: Path, file: Any, what: str) -> Mapped:
    """The array that begins where the file stands."""
    try:
        shape, by_column, dtype = _header(file)
    except ValueError as error:
        raise InputError.of(what, "data.source", f"no array: {error}", "what numpy.save writes") from error
    if dtype.hasobject:
        found = "holds Python objects"
        raise InputError.of(what, "data.source", found, "an array of numbers", "numpy.array(values.tolist())")
    if by_column:
        found = "lies in the file column by column, so that no row can be read by itself"
        raise InputError.of(what, "data.stream", found, "an array in C order", "numpy.save(path, numpy.ascontiguousarray(x))")
    return Mapped(path.absolute(), file.tell(), shape, dtype)


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type of the array that begins here."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its format is {version}")
    return (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
