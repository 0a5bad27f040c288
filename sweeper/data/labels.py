"""The target: class indices with their labels, several labels of a row, or a number to predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.data.columns import distinct_texts, kind_of, numbers, texts
from sweeper.data.disguise import disguise
from sweeper.data.preprocess import Label
from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

LEAST_ROWS = 3  # one row of a class for each part


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """An encoded target.

    Attributes:
        y: class indices, int64 ``[n]``; 0 and 1 per label, float32 ``[n, labels]``; or values in their own unit, float64 ``[n]``.
        values: the original labels, sorted, by class index; empty for other tasks than classification.
        names: the labels that a row may have or not; empty for other tasks than multilabel.
    """

    y: np.ndarray
    values: tuple[Label, ...]
    names: tuple[str, ...] = ()


def encode(target: pd.Series[Any] | pd.DataFrame, task: str, file: str) -> Labels:
    """Encode the target of every row.

    Labels that are whole numbers stay numbers (``1.0`` is 1), true and false stay so, everything else is text; classes are numbered in
    sorted order.

    Args:
        target: one column; for ``multilabel`` one or several columns of 0 and 1 or true and false, a label each.
        task: ``classification``, ``multilabel`` or ``regression``.
        file: where the target comes from, for errors.

    Raises:
        InputError: gaps, a single label or value, or a target that does not fit the task.
    """
    import pandas as pd

    if task == "multilabel":
        return _several(pd.DataFrame(target), file)
    if isinstance(target, pd.DataFrame):
        found = f"the target has the shape {list(target.shape)}"
        raise InputError.of(file, "data.target", found, "one label or value per row: [n]", "task: multilabel for several labels of a row")
    gaps = target.isna().to_numpy()
    if gaps.any():
        found = f"target {str(target.name)!r} has {int(gaps.sum())} gaps, the first in row {int(gaps.argmax()) + 1}"
        hint = "remove these rows; the texts NA, None and null are read as gaps" if file.endswith(".csv") else "remove these rows"
        raise InputError.of(file, "data.target", found, "a label or value in every row", hint)
    kind = kind_of(target)
    labels = _numbers(target, kind, file) if task == "regression" else _classes(target, kind, file)
    distinct = len(labels.values) if labels.values else len(np.unique(labels.y))
    if distinct < 2:
        found = f"target {str(target.name)!r} is {str(target.iloc[0])!r} in every row"
        raise InputError.of(file, "data.target", found, "at least two different labels or values")
    return labels


def _several(target: pd.DataFrame, file: str) -> Labels:
    """A multilabel target."""
    problems: list[Problem] = []
    columns: list[np.ndarray] = []
    for name, column in target.items():
        kind = kind_of(column)
        gaps = column.isna().to_numpy()
        values = numbers(column, kind, file) if kind in ("number", "boolean") else np.full(len(column), np.nan)
        strange = ~np.isin(values, (0.0, 1.0))
        if gaps.any():
            found = f"label {str(name)!r} has {int(gaps.sum())} gaps, the first in row {int(gaps.argmax()) + 1}"
            problems.append(Problem(file, "data.target", found, "0 or 1 in every row", "remove these rows"))
        elif strange.any():
            row = int(strange.argmax())
            found = f"label {str(name)!r} holds {str(column.iloc[row])!r} in row {row + 1}"
            problems.append(Problem(file, "data.target", found, "0 and 1, or true and false, for task: multilabel"))
        elif len(np.unique(values)) < 2:
            found = f"label {str(name)!r} is {values[0]:g} in every row"
            problems.append(Problem(file, "data.target", found, "a label that some rows have"))
        columns.append(values)
    if problems:
        raise InputError(problems)
    return Labels(np.column_stack(columns).astype(np.float32), (), tuple(map(str, target.columns)))


def _numbers(target: pd.Series[Any], kind: str | None, file: str) -> Labels:
    """A regression target."""
    if kind != "number":
        name = str(target.name)
        if kind == "text" and (seen := disguise(distinct_texts(target))) is not None:
            raise InputError.of(file, "data.target", f"target {name!r} holds text: {seen.found}", seen.allowed, seen.hint)
        found = f"target {name!r} holds {kind or target.dtype}, such as {str(target.iloc[0])!r}"
        raise InputError.of(file, "task", found, "numbers for task: regression", "task: classification")
    return Labels(_finite(target, file), ())


def _finite(target: pd.Series[Any], file: str) -> np.ndarray:
    values = numbers(target, "number", file)
    infinite = ~np.isfinite(values)
    if infinite.any():
        found = f"target {str(target.name)!r} is infinite in row {int(infinite.argmax()) + 1}"
        raise InputError.of(file, "data.target", found, "finite numbers")
    return values


def _classes(target: pd.Series[Any], kind: str | None, file: str) -> Labels:
    """A classification target."""
    name = str(target.name)
    if kind == "number":
        floats = _finite(target, file)
        whole = bool((floats == np.round(floats)).all())
        distinct, y = np.unique(floats, return_inverse=True)
        if (not whole and len(distinct) > 20) or (len(distinct) > 50 and len(distinct) * 5 > len(floats)):
            found = f"target {name!r} holds {len(distinct)} different numbers in {len(floats)} rows"
            raise InputError.of(file, "task", found, "labels for task: classification", "task: regression")
        values: tuple[Label, ...] = tuple(int(value) for value in distinct) if whole else tuple(distinct.tolist())
    elif kind == "boolean":
        flags, y = np.unique(numbers(target, "boolean", file), return_inverse=True)
        values = tuple(bool(flag) for flag in flags)
    elif kind is None:
        raise InputError.of(file, "data.target", f"target {name!r} holds {target.dtype}", "text, numbers, or true and false")
    else:
        names, y = np.unique(texts(target).astype(str), return_inverse=True)
        values = tuple(names.tolist())
    return Labels(y.astype(np.int64), values)


def rare_classes(labels: Labels, file: str) -> list[Problem]:
    """Classes of too few rows to be in every part."""
    sizes = np.bincount(labels.y, minlength=len(labels.values))
    rare = [f"{labels.values[index]!r} ({sizes[index]} rows)" for index in np.flatnonzero(sizes < LEAST_ROWS)]
    if not rare:
        return []
    found = f"{len(rare)} classes have fewer than {LEAST_ROWS} rows: {', '.join(rare[:5])}{', ...' if len(rare) > 5 else ''}"
    return [Problem(file, "data.target", found, f"at least {LEAST_ROWS} rows per class, one for each part", "merge or remove these labels")]
