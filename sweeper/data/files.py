"""Readers of .csv, .parquet and .npz: raw bytes to a table or arrays, with one sentence for each way to fail."""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.data.readers import Reader
from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd


def read_csv(raw: bytes, name: str) -> pd.DataFrame:
    """A table from comma-separated UTF-8 text with a header line.

    Types are pandas' own: a column of ``007`` is the number 7, an integer column with gaps is one of floats, and the texts that pandas
    reads as gaps (empty, ``NA``, ``N/A``, ``NaN``, ``null``, ``None``, ...) are gaps. A gap in a text column is a category of its own.
    A first column without a name that counts 0, 1, 2, ... (pandas writes it) is left out: in sorted files it would tell the label.

    Raises:
        InputError: not such a file, or without rows.
    """
    import pandas as pd

    try:
        header = next(csv.reader(io.StringIO(_decoded(raw, name))), [])
        if len(header) == 1 and (mark := next((mark for mark in ";\t|" if mark in header[0]), "")):
            hint = f"pandas.read_csv(path, sep={mark!r}).to_csv(path, index=False)" + (
                ", with decimal=',' where numbers are written 3,5" if mark == ";" else ""
            )
            raise InputError.of(name, "data.source", f"one column, with {mark!r} in its name", "values separated by commas", hint)
        with warnings.catch_warnings():
            # A row longer than the header: pandas would cut it, or take its first value for a row label.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(io.BytesIO(raw), encoding="utf-8-sig", low_memory=False, index_col=False)
    except pd.errors.EmptyDataError as error:
        raise InputError.of(name, "data.source", "the file is empty", "a header line and rows") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error, ValueError) as error:
        sentence = str(error).strip().splitlines()[0]
        raise InputError.of(name, "data.source", f"not a table: {sentence}", "a header line and rows of as many values") from error
    table = _checked(table, name, header)
    if header[:1] == [""] and (table.iloc[:, 0] == range(len(table))).all():
        return table.iloc[:, 1:]
    return table


def _decoded(raw: bytes, name: str) -> str:
    """The text.

    Raises:
        InputError: not in UTF-8; the first such line is told, as spreadsheets save other encodings.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"line {line}: byte 0x{raw[error.start]:02x} is not UTF-8 text"
        raise InputError.of(name, "data.source", found, "a CSV file in UTF-8", 'save it as "CSV UTF-8"') from error


def read_parquet(raw: bytes, name: str) -> pd.DataFrame:
    """A table from Parquet; a named index is a column like the others.

    Raises:
        InputError: not such a file, or without rows.
    """
    import pandas as pd
    from pyarrow import ArrowException

    try:
        table = pd.read_parquet(io.BytesIO(raw))
    except (ArrowException, OSError, ValueError) as error:
        sentence = str(error).strip().splitlines()[0]
        raise InputError.of(name, "data.source", f"not a Parquet file: {sentence}", "a Parquet file") from error
    named = [index for index in table.index.names if index is not None]
    table = table.reset_index(level=named) if named else table
    table = table.reset_index(drop=True).rename(columns=str)
    return _checked(table, name, list(table.columns))


def _checked(table: pd.DataFrame, name: str, header: Sequence[str]) -> pd.DataFrame:
    """The table, which has rows and columns of distinct names."""
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise InputError(Problem(name, "data.source", f"two columns are named {column!r}", "distinct names") for column in twice)
    if table.empty:
        raise InputError.of(name, "data.source", "the table has no rows", "a header line and rows")
    return table


def read_npz(
    raw: bytes, name: str, target: str, column: str | None = None
) -> tuple[np.ndarray, dict[str, pd.Series[Any]], pd.DataFrame | None]:
    """The inputs, by name every other array that has one value per row, and the target where it has several values per row.

    Inputs are the array ``x``, or the only other array when there are two: see ``shaped``.

    Args:
        raw: the file's bytes.
        name: the file's path, for errors.
        target: the name of the target's array.
        column: the name of the array that divides the rows, if any.

    Raises:
        InputError: not such a file, arrays of objects, of different lengths, or without rows.
    """
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            arrays = _load_arrays(archive, name)
    except (ValueError, OSError, EOFError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError.of(name, "data.source", "not an npz file", "what numpy.savez(path, x=..., y=...) writes") from error
    key = inputs_key(arrays, name, target)
    inputs = shaped(arrays.pop(key), f"array {key!r}", name)
    return inputs, *beside(inputs, arrays, key, name, target, column)


def beside(
    inputs: np.ndarray | Reader, arrays: Mapping[str, np.ndarray], key: str, name: str, target: str, column: str | None
) -> tuple[dict[str, pd.Series[Any]], pd.DataFrame | None]:
    """Of the other arrays those with one value per row, by name, and the target where it has several values per row.

    Args:
        inputs: the array of inputs.
        arrays: the others, by name.
        key: the name of the inputs.
        name: where they come from, for errors.
        target: the name of the target's array.
        column: the name of the array that divides the rows, if any.

    Raises:
        InputError: the arrays that are used have other numbers of rows, or the target another shape.
    """
    import pandas as pd

    number = inputs.shape[0]
    rows = {other: len(np.atleast_1d(array)) for other, array in arrays.items() if other in (target, column)}
    unequal = [other for other, found in rows.items() if found != number]
    if unequal:
        found = f"array {key!r} has {number} rows, " + ", ".join(f"{other!r} has {rows[other]}" for other in unequal)
        raise InputError.of(name, "data.source", found, "as many rows in each")
    single = {other: pd.Series(array.reshape(-1), name=other) for other, array in arrays.items() if array.size == number}
    if target in arrays and target not in single:
        if arrays[target].ndim != 2:
            found = f"array {target!r} has the shape {list(arrays[target].shape)}"
            raise InputError.of(name, "data.target", found, "one label or value per row: [n]; for task: multilabel [n, labels]")
        return single, pd.DataFrame(arrays[target], columns=[str(label) for label in range(arrays[target].shape[1])])
    return single, None


def shaped(inputs: np.ndarray, what: str, name: str) -> np.ndarray:
    """Inputs as ``[n, features]``, ``[n, time, features]`` (series) or ``[n, channels, height, width]`` (images); ``[n]`` is one feature.

    Args:
        inputs: as they come.
        what: the array for people.
        name: where it comes from, for errors.

    Raises:
        InputError: another shape, or no rows.
    """
    refuse_shape(inputs.shape, what, name)
    return inputs[:, None] if inputs.ndim == 1 else inputs


def refuse_shape(shape: tuple[int, ...], what: str, name: str) -> None:
    """The errors of ``shaped``, for arrays that are not in memory."""
    if len(shape) not in (1, 2, 3, 4) or 0 in shape:
        allowed = "[n, features], [n, time, features] or [n, channels, height, width]"
        raise InputError.of(name, "data.source", f"{what} has the shape {list(shape)}", allowed)
    if len(shape) == 4 and shape[1] == shape[2] > 4 and shape[3] in (1, 3):
        found = f"{what} has the shape {list(shape)}: channels last"
        raise InputError.of(name, "data.source", found, "[n, channels, height, width]", "x.transpose(0, 3, 1, 2)")


def _load_arrays(archive: Any, name: str) -> dict[str, np.ndarray]:
    """Every array of the file.

    Raises:
        InputError: arrays that only running code (pickle) could bring back.
    """
    arrays: dict[str, np.ndarray] = {}
    problems: list[Problem] = []
    for key in archive.files:
        try:
            arrays[key] = archive[key]
        except ValueError as error:
            found = f"array {key!r} holds Python objects" if "Object arrays" in str(error) else f"array {key!r} is damaged"
            problems.append(Problem(name, "data.source", found, "arrays of numbers or text", "numpy.array(values.tolist())"))
    if problems:
        raise InputError(problems)
    return arrays


def inputs_key(arrays: Iterable[str], name: str, target: str) -> str:
    """The name of the array of inputs."""
    keys = list(arrays)
    others = [key for key in keys if key != target]
    if "x" in others:
        return "x"
    if len(others) != 1:
        found = f"no array 'x' among {', '.join(map(repr, keys))}" if keys else "the file holds no arrays"
        raise InputError.of(name, "data.source", found, "the inputs as an array 'x'", "numpy.savez(path, x=inputs, y=labels)")
    return others[0]
