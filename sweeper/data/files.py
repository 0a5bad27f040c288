"""Readers of .csv, .parquet and .npz: raw bytes to a table or arrays, with one sentence for each way to fail."""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd


def read_csv(raw: bytes, name: str) -> pd.DataFrame:
    """A table from comma-separated UTF-8 text with a header line.

    Types are pandas' own: a column of ``007`` is the number 7, an integer column with gaps is one of floats, and the texts that pandas
    reads as gaps (empty, ``NA``, ``N/A``, ``NaN``, ``null``, ``None``, ...) are gaps. A gap in a text column is a category of its own.

    Raises:
        InputError: not such a file, or without rows.
    """
    import pandas as pd

    try:
        header = next(csv.reader(io.StringIO(raw.decode("utf-8-sig"))), [])
        with warnings.catch_warnings():
            # A row longer than the header: pandas would cut it, or take its first value for a row label.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(io.BytesIO(raw), encoding="utf-8-sig", low_memory=False, index_col=False)
    except UnicodeDecodeError as error:
        raise InputError.of(name, "data.source", f"byte {error.start} is not UTF-8 text", "a CSV file in UTF-8") from error
    except pd.errors.EmptyDataError as error:
        raise InputError.of(name, "data.source", "the file is empty", "a header line and rows") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error, ValueError) as error:
        sentence = str(error).strip().splitlines()[0]
        raise InputError.of(name, "data.source", f"not a table: {sentence}", "a header line and rows of as many values") from error
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        mark = next(mark for mark in ";\t|" if mark in header[0])
        raise InputError.of(name, "data.source", f"one column, with {mark!r} in its name", "values separated by commas")
    return _checked(table, name, header)


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


def read_npz(raw: bytes, name: str, target: str) -> tuple[np.ndarray, dict[str, pd.Series[Any]]]:
    """The inputs, and every one-dimensional array beside them by name.

    Inputs are the array ``x``, or the only other array when there are two: ``[n]``, ``[n, features]``, ``[n, height, width]``
    (one channel) or ``[n, channels, height, width]``.

    Raises:
        InputError: not such a file, arrays of objects, of different lengths, or without rows.
    """
    import pandas as pd

    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            arrays, problems = _load_arrays(archive, name)
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise InputError.of(name, "data.source", "not an npz file", "what numpy.savez(path, x=..., y=...) writes") from error
    if problems:
        raise InputError(problems)
    others = [key for key in arrays if key != target]
    key = "x" if "x" in arrays and target != "x" else others[0] if len(others) == 1 else None
    if key is None:
        found = f"no array 'x' among {', '.join(map(repr, arrays))}" if arrays else "the file holds no arrays"
        raise InputError.of(name, "data.source", found, "the inputs as an array 'x'", "numpy.savez(path, x=inputs, y=labels)")
    inputs = arrays.pop(key)
    rows = {other: array.shape[0] if array.ndim else 0 for other, array in arrays.items()}
    if inputs.ndim not in (1, 2, 3, 4) or inputs.size == 0:
        allowed = "[n, features] or [n, channels, height, width]"
        raise InputError.of(name, "data.source", f"array {key!r} has the shape {list(inputs.shape)}", allowed)
    short = [other for other, length in rows.items() if length != len(inputs)]
    if short:
        raise InputError(
            Problem(name, "data.source", f"array {other!r} has {rows[other]} rows, {key!r} has {len(inputs)}", "as many rows in each")
            for other in short
        )
    single = {other: array.reshape(-1) for other, array in arrays.items() if array.size == len(inputs)}
    wide = arrays.get(target)
    if wide is not None and target not in single:
        raise InputError.of(name, "data.target", f"array {target!r} has the shape {list(wide.shape)}", "one label or value per row: [n]")
    if inputs.ndim in (1, 3):
        inputs = inputs[:, None]
    elif inputs.ndim == 4 and inputs.shape[1] == inputs.shape[2] > 4 and inputs.shape[3] in (1, 3):
        hint = f"{key}.transpose(0, 3, 1, 2)"
        raise InputError.of(
            name, "data.source", f"images of shape {list(inputs.shape)}: channels last", "[n, channels, height, width]", hint
        )
    return inputs, {other: pd.Series(array, name=other) for other, array in single.items()}


def _load_arrays(archive: Any, name: str) -> tuple[dict[str, np.ndarray], list[Problem]]:
    """Every array of the file, and a problem for each that cannot be read without running code."""
    arrays: dict[str, np.ndarray] = {}
    problems: list[Problem] = []
    for key in archive.files:
        try:
            array = archive[key]
        except ValueError:  # numpy's "Object arrays cannot be loaded when allow_pickle=False"
            hint = "numpy.array(values.tolist()) usually has a plain type"
            problems.append(Problem(name, "data.source", f"array {key!r} holds Python objects", "arrays of numbers or text", hint))
            continue
        arrays[key] = array
    return arrays, problems
