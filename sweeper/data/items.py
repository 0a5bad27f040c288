"""A user's own data set, whose rows are made one by one when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sweeper.data.readers import Reader
from sweeper.errors import InputError
from sweeper.usercode import call, load_attribute


class Items(Reader):
    """The inputs of something with ``__len__`` and ``__getitem__`` that gives pairs (x, y), as torch's map-style data sets do.

    Args:
        way: how another process gets it: the function is called again there.
        part: of what the function returns; None where it returns the data set itself.
        items: it, in the process that has it already.
        shape: of all rows.
        dtype: of their numbers.
    """

    def __init__(self, way: Way, part: str | None, items: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._way, self._part, self._items = way, part, items
        self.shape = shape
        self.dtype = dtype

    def __reduce__(self) -> tuple[type[Items], tuple[Way, str | None, None, tuple[int, ...], np.dtype[Any]]]:
        return Items, (self._way, self._part, None, self.shape, self.dtype)

    def told(self) -> dict[str, Any]:
        """The function, and which part of what it returns."""
        return {**self._way.told(), "part": self._part, "shape": list(self.shape), "dtype": self.dtype.str}

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The rows of these numbers.

        Raises:
            InputError: the function gives other rows than before.
        """
        if self._items is None:
            self._items = self._way.again(self._part)
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for place, row in enumerate(rows.tolist()):
            found[place] = row_of(self._items, row, self._way.source, self.shape[1:])[0]
        return found


class Way:
    """How a process gets what a user's function returns.

    Args:
        source: the function's dotted path.
        params: its arguments.
        folder: where its module is looked for.
    """

    def __init__(self, source: str, params: Mapping[str, Any], folder: Path) -> None:
        self.source = source
        self._params = params
        self._folder = folder

    def told(self) -> dict[str, Any]:
        """The function, as plain data."""
        return {"items": self.source, "params": dict(self._params), "folder": str(self._folder)}

    def again(self, part: str | None) -> Any:
        """Call the function here."""
        function = load_attribute(self.source, self._folder, source=self.source, key="data.source")
        result = call(function, self._params, name=self.source, source=self.source, key="data.params")
        return result if part is None else result[part]


def is_items(value: Any) -> bool:
    """Whether it is a data set of pairs rather than an array, a table or a list."""
    if isinstance(value, np.ndarray | list | tuple | Mapping | str):
        return False
    return not hasattr(value, "__array__") and hasattr(value, "__len__") and hasattr(value, "__getitem__")


def row_of(items: Any, row: int, name: str, shape: tuple[int, ...] | None = None) -> tuple[np.ndarray, Any]:
    """One pair of a data set: the inputs as an array, and the target as it comes.

    Raises:
        InputError: no pair, a row of another shape, or an error of the data set's own.
    """
    try:
        pair = items[row]
    except Exception as error:
        raise InputError.of(name, "data.source", f"row {row} failed: {type(error).__name__}: {error}"[:300], "a pair (x, y)") from error
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InputError.of(name, "data.source", f"row {row} is {type(pair).__name__}", "a pair (x, y)")
    x = np.atleast_1d(np.asarray(pair[0]))
    if shape is not None and x.shape != shape:
        found = f"row {row} has the shape {list(x.shape)}, others have {list(shape)}"
        raise InputError.of(name, "data.source", found, "rows of one shape")
    return x, pair[1]
