"""Which rows are train, validation and test: by chance, by group or by time, always the same for the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.data.columns import kind_of, numbers
from sweeper.data.labels import Labels
from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from sweeper.config.schema import Data


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Row numbers of the parts, int64: disjoint, and together every row."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def split_rows(
    data: Data,
    labels: Labels,
    column: pd.Series[Any] | None,
    *,
    source: str,
    file: str,
    given: Mapping[str, np.ndarray] | None = None,
) -> Rows:
    """Divide the rows.

    Args:
        data: fractions (of all rows, rounded), seed and kind of split.
        labels: the encoded target of every row; a random split is stratified by its classes (several labels of a row are not looked at).
        column: the group or time of every row; None for a random split.
        source: the config's file, for errors.
        file: the data's file, for errors.
        given: row numbers by part where the source divides its rows itself. A part that is missing is cut from ``train`` at random; its
            fraction is of the rows of ``train`` then.

    Raises:
        InputError: a part would be empty or a class missing from training, or the column does not fit this kind of split.
    """
    if column is not None and column.isna().any():
        gaps = column.isna().to_numpy()
        found = f"split column {str(column.name)!r} has {int(gaps.sum())} gaps, the first in row {int(gaps.argmax()) + 1}"
        raise InputError.of(file, "data.split.column", found, "a group or time in every row")
    if given:
        rows = _as_given(data, labels, given, source)
    elif column is None:
        rows = _at_random(data, labels, source)
    else:
        rows = _by_group(data, column, source, file) if data.split.by == "group" else _by_time(data, column, source, file)
    _refuse_unseen(labels, rows, data, source)
    return rows


def _as_given(data: Data, labels: Labels, given: Mapping[str, np.ndarray], source: str) -> Rows:
    """The parts that are given, and the missing ones out of ``train``."""
    from sklearn.model_selection import train_test_split

    parts = dict(given)
    for part, fraction in (("test", data.test_fraction), ("val", data.val_fraction)):
        if part in parts:
            continue
        train, size, key = parts["train"], round(len(given["train"]) * fraction), f"data.{part}_fraction"
        y = labels.y[train] if labels.values else np.zeros(len(train), dtype=np.int64)
        distinct, sizes = np.unique(y, return_counts=True)
        if not len(distinct) <= size <= len(train) - len(distinct):
            found = f"a {part} part of {size} out of {len(train)} rows" + (f" with {len(distinct)} labels" if labels.values else "")
            raise InputError.of(source, key, found, "at least one row (of each label) in each part")
        if sizes.min() < 2:
            found = f"a single row with the label {labels.values[distinct[sizes.argmin()]]!r} to divide between train and {part}"
            raise InputError.of(source, key, found, "2 rows of each label")
        parts["train"], parts[part] = map(np.sort, train_test_split(train, test_size=size, random_state=data.seed, stratify=y))
    return Rows(parts["train"], parts["val"], parts["test"])


def _sizes(data: Data, number: int, unit: str, source: str) -> tuple[int, int]:
    """How many of ``number`` rows or groups are for validation and test.

    Raises:
        InputError: none are left for a part.
    """
    val, test = round(number * data.val_fraction), round(number * data.test_fraction)
    sizes = (("train", number - val - test, "data.val_fraction"), ("val", val, "data.val_fraction"), ("test", test, "data.test_fraction"))
    empty = [(part, key) for part, size, key in sizes if size < 1]
    if empty:
        allowed = f"fractions that leave {unit} in each part"
        raise InputError(Problem(source, key, f"the {part} part gets none of {number} {unit}", allowed) for part, key in empty)
    return val, test


def _refuse_unseen(labels: Labels, rows: Rows, data: Data, source: str) -> None:
    """A class that no training row has cannot be learnt."""
    unseen = np.setdiff1d(labels.y, labels.y[rows.train]) if labels.values else ()
    if len(unseen):
        hint = "other fractions" if data.split.by == "time" else "other fractions, or another data.seed"
        names = ", ".join(repr(labels.values[index]) for index in unseen[:5])
        raise InputError.of(source, "data.split", f"no training row has the label {names}", "every label in the training part", hint)


def _at_random(data: Data, labels: Labels, source: str) -> Rows:
    """Two shuffled cuts, stratified by class; test first, so that it stays the same when the validation share changes."""
    from sklearn.model_selection import train_test_split

    number = len(labels.y)
    val, test = _sizes(data, number, "rows", source)
    classes = len(labels.values)
    few = {
        key: size for key, size in (("data.test_fraction", test), ("data.val_fraction", min(val, number - val - test))) if size < classes
    }
    if few:
        allowed = "at least one row per label in each part"
        raise InputError(Problem(source, key, f"a part of {size} rows for {classes} labels", allowed) for key, size in few.items())
    every = np.arange(number)
    rest, held = train_test_split(every, test_size=test, random_state=data.seed, stratify=labels.y if classes else None)
    _refuse_lonely(labels, rest, source)
    train, valid = train_test_split(rest, test_size=val, random_state=data.seed, stratify=labels.y[rest] if classes else None)
    return Rows(np.sort(train), np.sort(valid), np.sort(held))


def _refuse_lonely(labels: Labels, rest: np.ndarray, source: str) -> None:
    """One row cannot be divided between training and validation."""
    lonely = np.flatnonzero(np.bincount(labels.y[rest], minlength=len(labels.values)) < 2) if labels.values else ()
    if len(lonely):
        names = ", ".join(repr(labels.values[index]) for index in lonely[:5])
        found = f"the test part leaves fewer than 2 rows with the label {names}"
        raise InputError.of(source, "data.test_fraction", found, "2 rows of each label for train and val", "a smaller test_fraction")


def _by_group(data: Data, column: pd.Series[Any], source: str, file: str) -> Rows:
    """Whole groups at random; the fractions are of groups, so that parts of unequal groups differ in rows."""
    from sklearn.model_selection import GroupShuffleSplit

    names, groups = np.unique(column.to_numpy().astype(str), return_inverse=True)
    if len(names) < 3:
        found = f"column {str(column.name)!r} holds {len(names)} groups"
        raise InputError.of(file, "data.split.column", found, "at least 3 groups, one for each part")
    val, test = _sizes(data, len(names), "groups", source)
    rest, held = next(GroupShuffleSplit(1, test_size=test, random_state=data.seed).split(groups, groups=groups))
    train, valid = next(GroupShuffleSplit(1, test_size=val, random_state=data.seed).split(rest, groups=groups[rest]))
    return Rows(rest[train], rest[valid], held)


def _by_time(data: Data, column: pd.Series[Any], source: str, file: str) -> Rows:
    """Oldest rows first; rows of one instant keep the file's order."""
    kind = kind_of(column)
    if kind not in ("number", "datetime"):
        found = f"column {str(column.name)!r} holds {kind or column.dtype}, such as {str(column.iloc[0])!r}"
        raise InputError.of(file, "data.split.column", found, "numbers, or ISO 8601 dates (2024-03-31 or 2024-03-31 12:00:00)")
    order = np.argsort(numbers(column, kind, file), kind="stable")
    val, test = _sizes(data, len(order), "rows", source)
    train = len(order) - val - test
    return Rows(order[:train], order[train : train + val], order[train + val :])
