"""Rows that a function gives: a user's own, by dotted path, or a synthetic one that ships with sweeper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sweeper.data.content import Content, content_hash, little, started_hash, table_hash
from sweeper.data.files import refuse_shape, shaped
from sweeper.data.items import Items, Way, is_items, row_of
from sweeper.data.readers import Reader, joined, map_of, piece_rows
from sweeper.data.stream import Look, wanted
from sweeper.errors import InputError
from sweeper.usercode import call, load_attribute

if TYPE_CHECKING:
    import pandas as pd

    from sweeper.config.schema import Data

Table: TypeAlias = "pd.DataFrame"

PARTS = ("train", "val", "test")
RETURNS = "a pair (x, y), a data set of such pairs, or a dict of these with the keys train and, if you like, val and test"
TEXT = "text"
"""The column that an array of texts becomes."""


def folder_of(data: Data, source: str) -> Path:
    """Where the modules of the section are looked for first: ``data.folder``, or the folder of the file that holds the section."""
    return Path(source).parent if data.folder is None else Path(data.folder)


def read_function(data: Data, source: str) -> Content:
    """Import the function that ``data.source`` names, call it with ``data.params``, and take what it returns.

    Args:
        data: the config's section.
        source: the file that the config stands in; modules are also looked for beside it.

    Raises:
        InputError: it cannot be imported, fails, or returns something else than ``RETURNS``.
    """
    function = load_attribute(data.source, folder_of(data, source), source=source, key="data.source")
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
    had = _inputs_of_items(pairs, data, source) if any(map(is_items, pairs.values())) else _inputs_of_pairs(pairs, data)
    x, targets = had.x, had.targets
    _alike(targets, data.source)
    ends = np.cumsum([len(one) for one in targets.values()])
    given = {part: np.arange(end - len(one), end) for (part, one), end in zip(targets.items(), ends, strict=True)} if len(pairs) > 1 else {}
    every: Any = list(targets.values())
    y = pd.concat(every, ignore_index=True)
    digest = content_hash(np.array([had.hash, table_hash(pd.DataFrame(y))]), ends)
    series = {str(name): values for name, values in x.items()} if isinstance(x, pd.DataFrame) else {}
    common: dict[str, Any] = {"hash": digest, "given": given, "text": TEXT if list(series) == [TEXT] else None, "look": had.look}
    if isinstance(y, pd.DataFrame):
        return Content(data.source, x, series=series, target="y", matrix=y, **common)
    if str(y.name) in series:
        found = f"the target and a column of the inputs are both called {str(y.name)!r}"
        raise InputError.of(data.source, "data.source", found, "another name")
    return Content(data.source, x, series={**series, str(y.name): y}, target=str(y.name), **common)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What the parts hold together: inputs, targets by part, a hash of the inputs, and what a look at streamed ones found."""

    x: Table | np.ndarray | Reader
    targets: dict[str, pd.Series[Any] | Table]
    hash: str
    look: Look | None = None


def _inputs_of_pairs(pairs: Mapping[str, Any], data: Data) -> _Found:
    """Arrays and tables, in memory; or files that are mapped, where they are to be streamed."""
    import pandas as pd

    several = len(pairs) > 1
    parts = {part: _part(pair, f"{part} " if several else "", data.source) for part, pair in pairs.items()}
    inputs = {part: one for part, (one, _) in parts.items()}
    targets = {part: one for part, (_, one) in parts.items()}
    _alike(inputs, data.source)
    maps = [map_of(pair[0]) for pair in pairs.values()]
    readers = [one for one in maps if one is not None]
    if len(readers) == len(maps) and wanted(data, joined(readers).shape):
        x = joined(readers)
        return _Found(x, targets, content_hash(x), Look.over(x))
    if data.stream is True:
        found = "the function returns inputs that are in memory already"
        raise InputError.of(data.source, "data.stream", found, "a whole numpy.memmap, or a data set of pairs", "or write stream: auto")
    whole: Any = list(inputs.values())
    if isinstance(whole[0], pd.DataFrame):
        table: Table = pd.concat(whole, ignore_index=True)
        return _Found(table, targets, table_hash(table))
    array = np.concatenate(whole)
    return _Found(array, targets, content_hash(array))


def _inputs_of_items(pairs: Mapping[str, Any], data: Data, source: str) -> _Found:
    """Data sets of pairs: one pass over them for targets, hash and a look; their rows are kept where they are not to be streamed."""
    odd = next((part for part, one in pairs.items() if not is_items(one) or not len(one)), None)
    if odd is not None:
        raise InputError.of(
            data.source, "data.source", f"{odd} is {type(pairs[odd]).__name__}", "data sets with rows in all parts, or in none"
        )
    way = Way(data.source, data.params, folder_of(data, source).absolute())
    first = row_of(next(iter(pairs.values())), 0, data.source)[0]
    readers = [Items(way, part if len(pairs) > 1 else None, one, (len(one), *first.shape), first.dtype) for part, one in pairs.items()]
    x = joined(readers)
    refuse_shape(x.shape, "x", data.source)
    kept = None if wanted(data, x.shape) else np.empty(x.shape, x.dtype)
    targets: dict[str, list[Any]] = {part: [] for part in pairs}
    look, digest, place = Look(), started_hash(x), 0
    size = piece_rows(x.shape, x.dtype)
    for part, items in pairs.items():
        for begin in range(0, len(items), size):
            rows = [row_of(items, row, data.source, first.shape) for row in range(begin, min(begin + size, len(items)))]
            raw = np.stack([one for one, _ in rows]).astype(x.dtype, copy=False).reshape(len(rows), *x.shape[1:])
            targets[part] += [np.asarray(target) for _, target in rows]
            look.at(raw)
            digest.update(little(raw))
            if kept is not None:
                kept[place : place + len(raw)] = raw
            place += len(raw)
    told = {part: _target(np.stack(one), f"{part} y", data.source) for part, one in targets.items()}
    return _Found(x, told, digest.hexdigest(), look) if kept is None else _Found(kept, told, digest.hexdigest())


def _pairs(result: Any, name: str) -> dict[str, Any]:
    """The pairs by part; a single pair is all there is to divide."""
    if is_items(result) or (isinstance(result, tuple | list) and len(result) == 2):
        return {"train": result}
    if isinstance(result, Mapping) and "train" in result and set(result) <= set(PARTS):
        pairs = {part: result[part] for part in PARTS if part in result}
        if all(is_items(pair) or (isinstance(pair, tuple | list) and len(pair) == 2) for pair in pairs.values()):
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
