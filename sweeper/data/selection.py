"""Which column or array is the target, which divides the rows, and which are inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.config.nearest import hint
from sweeper.data.sources import Content
from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from sweeper.config.schema import Data


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Which content plays which part.

    Attributes:
        inputs: what models see: the remaining columns, or an array.
        target: what they predict.
        column: the group or time column; None for a random split.
        dropped: why each other column is not an input.
    """

    inputs: pd.DataFrame | np.ndarray
    target: pd.Series[Any]
    column: pd.Series[Any] | None
    dropped: dict[str, str]


def key_problems(data: Data, source: str) -> list[Problem]:
    """What is wrong with the section whatever the data holds."""
    problems = []
    if data.val_fraction + data.test_fraction >= 1:
        found = f"{data.val_fraction} + test_fraction {data.test_fraction} leaves no rows for training"
        problems.append(Problem(source, "data.val_fraction", found, "a sum below 1"))
    if data.split.by != "random" and data.split.column is None:
        problems.append(Problem(source, "data.split.column", f"missing, for a split by {data.split.by}", "a column's name"))
    if data.split.by == "random" and data.split.column is not None:
        mend = f"split: {{by: group, column: {data.split.column}}}"
        problems.append(Problem(source, "data.split.column", f"{data.split.column!r}, for a random split", "by: group or by: time", mend))
    return problems


def select(content: Content, data: Data, source: str, problems: list[Problem]) -> Selection:
    """Find target, split column and inputs.

    Raises:
        InputError: ``problems``, and every name of the section that is not in the content.
    """
    problems = list(problems)
    name = data.target or content.target
    series = content.series
    listed = ", ".join(list(series)[:12]) + (", ..." if len(series) > 12 else "")
    kind = "array" if isinstance(content.inputs, np.ndarray) else "column"

    def absent(path: str, column: str) -> Problem:
        return Problem(
            source, path, f"{content.name} has no {kind} {column!r}", listed or f"nothing: it has no named {kind}s", hint(column, series)
        )

    if name is None:
        problems.append(Problem(source, "data.target", f"missing, for the table {content.name}", listed, f"target: {list(series)[-1]}"))
    elif name not in series:
        problems.append(absent("data.target", name))
    if data.split.column is not None and data.split.column not in series:
        problems.append(absent("data.split.column", data.split.column))
    elif name is not None and data.split.column == name:
        problems.append(Problem(source, "data.split.column", f"{name!r} is the target", "another column"))
    if isinstance(content.inputs, np.ndarray):
        problems.extend(Problem(source, "data.drop", f"{column!r}: arrays have no columns", "leave it out") for column in data.drop)
    else:
        problems.extend(absent("data.drop", column) for column in data.drop if column not in series)
    if name in data.drop:
        problems.append(Problem(source, "data.drop", f"{name!r} is the target", "columns that are not inputs; the target is none anyway"))
    if problems or name is None:
        raise InputError(problems)
    column = None if data.split.column is None else series[data.split.column]
    if isinstance(content.inputs, np.ndarray):
        return Selection(content.inputs, series[name], column, {})
    dropped = dict.fromkeys(data.drop, "data.drop")
    if data.split.column is not None:
        dropped[data.split.column] = f"the split's {data.split.by} column"
    inputs = content.inputs.drop(columns=[name, *dropped])
    if inputs.columns.empty:
        raise InputError.of(source, "data.drop", f"no input column of {content.name} is left", "at least one")
    return Selection(inputs, series[name], column, dropped)
