"""Which rows are train, validation and test: by chance, by group or by time, always the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.data.columns import kind_of, numbers
from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from sweeper.config.schema import Data


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Row numbers of the parts: disjoint, and together every row."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def counts(rows: int, val_fraction: float, test_fraction: float) -> tuple[int, int]:
    """Rows of the validation and test parts: the fractions of all rows, rounded."""
    return round(rows * val_fraction), round(rows * test_fraction)


def split_rows(data: Data, rows: int, *, classes: np.ndarray | None, column: pd.Series[Any] | None, source: str, file: str) -> Rows:
    """Divide the rows.

    Args:
        data: fractions, seed and kind of split.
        rows: how many there are.
        classes: class indices to stratify by, int ``[rows]``; None for regression.
        column: the group or time column.
        source: the config's file, for errors.
        file: the data's file, for errors.

    Raises:
        InputError: a part would be empty, or the column does not fit this kind of split.
    """
    if column is not None and column.isna().any():
        gaps = column.isna().to_numpy()
        found = f"split column {str(column.name)!r} has {int(gaps.sum())} gaps, the first in row {int(gaps.argmax()) + 1}"
        raise InputError.of(file, "data.split.column", found, "a group or time in every row")
    if column is not None and data.split.by == "group":
        result = _by_group(data, column.to_numpy(), source, file)
    else:
        val, test = counts(rows, data.val_fraction, data.test_fraction)
        _refuse_empty(rows - val - test, val, test, f"of {rows} rows", source)
        if column is not None:
            result = _by_time(column, val, test, file)
        else:
            _refuse_few(0 if classes is None else int(classes.max()) + 1, rows - val - test, val, test, source)
            result = _at_random(rows, classes, val, test, data.seed)
    if classes is not None:
        _refuse_unlearnable(classes, result, data, source)
    return result


def _refuse_empty(train: int, val: int, test: int, of: str, source: str) -> None:
    sizes = (("train", train, "data.val_fraction"), ("val", val, "data.val_fraction"), ("test", test, "data.test_fraction"))
    problems = [
        Problem(source, key, f"the {part} part is empty {of}", "fractions that leave rows in each part") for part, n, key in sizes if n < 1
    ]
    if problems:
        raise InputError(problems)


def _refuse_unlearnable(classes: np.ndarray, rows: Rows, data: Data, source: str) -> None:
    """A class that no training row has cannot be learnt."""
    absent = np.setdiff1d(classes, classes[rows.train])
    if len(absent):
        hint = "another data.seed" if data.split.by == "group" else "other fractions, or data.split: {by: random}"
        found = f"{len(absent)} of {int(classes.max()) + 1} classes have no row in the training part"
        raise InputError.of(source, "data.split", found, "every class in the training part", hint)


def _refuse_few(classes: int, train: int, val: int, test: int, source: str) -> None:
    """Stratifying needs a row per class in each part."""
    keys = {"data.val_fraction": min(train, val), "data.test_fraction": test}
    problems = [
        Problem(source, key, f"a part of {rows} rows for {classes} classes", "at least one row per class in each part")
        for key, rows in keys.items()
        if rows < classes
    ]
    if problems:
        raise InputError(problems)


def _at_random(rows: int, classes: np.ndarray | None, val: int, test: int, seed: int) -> Rows:
    """Two shuffled cuts, each stratified: test first, so that it stays the same when the validation share changes."""
    from sklearn.model_selection import train_test_split

    every = np.arange(rows)
    rest, held = train_test_split(every, test_size=test, random_state=seed, stratify=classes)
    train, valid = train_test_split(rest, test_size=val, random_state=seed, stratify=None if classes is None else classes[rest])
    return Rows(np.sort(train), np.sort(valid), np.sort(held))


def _by_group(data: Data, groups: np.ndarray, source: str, file: str) -> Rows:
    """Whole groups at random; the fractions are of groups, so that parts of unequal groups differ in rows."""
    from sklearn.model_selection import GroupShuffleSplit

    names, codes = np.unique(groups.astype(str), return_inverse=True)
    val, test = counts(len(names), data.val_fraction, data.test_fraction)
    _refuse_empty(len(names) - val - test, val, test, f"of {len(names)} groups in {file}", source)
    every = np.arange(len(codes))
    first = GroupShuffleSplit(1, test_size=test, random_state=data.seed)
    rest, held = next(first.split(every, groups=codes))
    second = GroupShuffleSplit(1, test_size=val, random_state=data.seed)
    train, valid = next(second.split(rest, groups=codes[rest]))
    return Rows(rest[train], rest[valid], held)


def _by_time(column: pd.Series[Any], val: int, test: int, file: str) -> Rows:
    """Oldest rows first; rows of one instant keep the file's order."""
    kind = kind_of(column)
    if kind not in ("number", "datetime"):
        found = f"column {str(column.name)!r} holds {kind or column.dtype}, such as {str(column.iloc[0])!r}"
        raise InputError.of(file, "data.split.column", found, "numbers, or ISO 8601 dates (2024-03-31 or 2024-03-31 12:00:00)")
    order = np.argsort(numbers(column, kind, file), kind="stable")
    train = len(order) - val - test
    return Rows(order[:train], order[train : train + val], order[train + val :])
