"""Rows that a function gives: a user's own, by dotted path, or a synthetic one that ships with sweeper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sweeper.data.content import Content, content_hash, table_hash
from sweeper.data.files import shaped
from sweeper.errors import InputError
from sweeper.usercode import call, load_attribute

if TYPE_CHECKING:
    import pandas as pd

    from sweeper.config.schema import Data

Table: TypeAlias = "pd.DataFrame"

PARTS = ("train", "val", "test")
RETURNS = "a pair (x, y), or a dict of such pairs with the keys train and, if you like, val and test"
TEXT = "text"
"""The column that an array of texts becomes."""


def read_function(data: Data, source: str) -> Content:
    """Import the function that ``data.source`` names, call it with ``data.params``, and take what it returns.

    Args:
        data: the config's section.
        source: the file that the config stands in; modules are also looked for beside it.

    Raises:
        InputError: it cannot be imported, fails, or returns something else than ``RETURNS``.
    """
    function = load_attribute(data.source, Path(source).parent, source=source, key="data.source")
    if not callable(function):
        raise InputError.of(source, "data.source", f"{data.source} is {type(function).__name__}", "a function that returns (x, y)")
    return content_of(function, data, source)


def content_of(function: Callable[..., Any], data: Data, source: str) -> Content:
    """What a function returns for ``data.params``, as content.

    Raises:
        InputError: it fails, or returns something else than ``RETURNS``.
    """
    import pandas as pd

    result = call(function, data.params, name=data.source, source=source, key="data.params")
    pairs = _pairs(result, data.source)
    inputs, targets = zip(*(_part(pair, f"{part} " if len(pairs) > 1 else "", data.source) for part, pair in pairs.items()), strict=True)
    _alike(dict(zip(pairs, inputs, strict=True)), data.source)
    _alike(dict(zip(pairs, targets, strict=True)), data.source)
    ends = np.cumsum([len(one) for one in inputs])
    given = {part: np.arange(end - len(one), end) for part, one, end in zip(pairs, inputs, ends, strict=True)} if len(pairs) > 1 else {}
    x = pd.concat(inputs, ignore_index=True) if isinstance(inputs[0], pd.DataFrame) else np.concatenate(inputs)
    y: Any = pd.concat(targets, ignore_index=True)
    digest = content_hash(np.array([table_hash(x) if isinstance(x, pd.DataFrame) else content_hash(x), table_hash(pd.DataFrame(y))]), ends)
    series = {str(name): values for name, values in x.items()} if isinstance(x, pd.DataFrame) else {}
    common = {"hash": digest, "given": given, "text": TEXT if list(series) == [TEXT] else None}
    if isinstance(y, pd.DataFrame):
        return Content(data.source, x, series=series, target="y", matrix=y, **common)
    if str(y.name) in series:
        found = f"the target and a column of the inputs are both called {str(y.name)!r}"
        raise InputError.of(data.source, "data.source", found, "another name")
    return Content(data.source, x, series={**series, str(y.name): y}, target=str(y.name), **common)


def _pairs(result: Any, name: str) -> dict[str, Any]:
    """The pairs by part; a single pair is all there is to divide."""
    if isinstance(result, tuple | list) and len(result) == 2:
        return {"train": result}
    if isinstance(result, Mapping) and "train" in result and set(result) <= set(PARTS):
        pairs = {part: result[part] for part in PARTS if part in result}
        if all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs.values()):
            return pairs if len(pairs) > 1 else {"train": pairs["train"]}
    kind = f"a dict of {', '.join(map(repr, result))}" if isinstance(result, Mapping) else type(result).__name__
    raise InputError.of(name, "data.source", f"the function returned {kind}", RETURNS)


def _part(pair: Any, part: str, name: str) -> tuple[Table | np.ndarray, pd.Series[Any] | Table]:
    """Inputs and target of one part, as many rows of each."""
    inputs, target = _inputs(pair[0], f"{part}x", name), _target(pair[1], f"{part}y", name)
    if len(inputs) != len(target):
        raise InputError.of(name, "data.source", f"{part}x has {len(inputs)} rows, {part}y has {len(target)}", "as many rows in each")
    return inputs, target


def _inputs(value: Any, what: str, name: str) -> Table | np.ndarray:
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        if value.empty:
            raise InputError.of(name, "data.source", f"the table {what} is empty", "rows and columns")
        return value.reset_index(drop=True).rename(columns=str)
    array = _array(value, what, name)
    if array.ndim == 1 and array.dtype.kind in "UO" and all(isinstance(one, str) for one in array.tolist()) and len(array):
        return pd.DataFrame({TEXT: array.astype(object)})
    return shaped(array, what, name)


def _target(value: Any, what: str, name: str) -> pd.Series[Any] | Table:
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        table: pd.DataFrame = value.reset_index(drop=True).rename(columns=str)
        return table.iloc[:, 0] if table.shape[1] == 1 else table
    if isinstance(value, pd.Series):
        return value.reset_index(drop=True).rename("y" if value.name is None else str(value.name))
    array = _array(value, what, name)
    if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
        return pd.Series(array.reshape(-1), name="y")
    if array.ndim == 2 and array.shape[1]:
        return pd.DataFrame(array, columns=[str(column) for column in range(array.shape[1])])
    found = f"{what} has the shape {list(array.shape)}"
    raise InputError.of(name, "data.source", found, "a label or value per row: [n]; for task: multilabel [n, labels]")


def _array(value: Any, what: str, name: str) -> np.ndarray:
    """Whatever NumPy takes for an array."""
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged rows; a tensor on a GPU or with a gradient
        sentence = str(error).strip().partition("\n")[0]
        raise InputError.of(name, "data.source", f"{what} is no array: {sentence}", "arrays, lists, or a pandas table") from error


def _alike(parts: Mapping[str, Any], name: str) -> None:
    """Every part has rows of one kind."""
    kinds = {part: list(one.columns) if hasattr(one, "columns") else list(one.shape[1:]) for part, one in parts.items()}
    other = next((part for part, kind in kinds.items() if kind != kinds["train"]), None)
    if other is not None:
        found = f"rows of {other} are {kinds[other]}, those of train are {kinds['train']}"
        raise InputError.of(name, "data.source", found, "rows of the same shape and columns in every part")
