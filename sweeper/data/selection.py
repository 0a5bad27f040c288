"""Which column or array is the target, which divides the rows, and which are inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.config.nearest import hint
from sweeper.data.content import Content
from sweeper.data.readers import Reader
from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

    from sweeper.config.schema import Data


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Which content plays which part.

    Attributes:
        inputs: what models see: the remaining columns, or an array, or what reads it.
        name: the target's.
        target: what they predict; a table where it has several columns.
        column: the group or time column; None for a random split.
        text: the column of texts, which is the only input then; None for other inputs.
        dropped: why each other column is not an input.
    """

    inputs: pd.DataFrame | np.ndarray | Reader
    name: str
    target: pd.Series[Any] | pd.DataFrame
    column: pd.Series[Any] | None
    text: str | None
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
    table = None if isinstance(content.inputs, np.ndarray | Reader) else content.inputs
    listed = ", ".join(list(content.series)[:12]) + (", ..." if len(content.series) > 12 else "")
    kind = "array" if table is None else "column"

    def absent(path: str, column: str) -> Problem:
        allowed = listed or f"nothing: it has no named {kind}s"
        return Problem(source, path, f"{content.name} has no {kind} {column!r}", allowed, hint(column, content.series))

    targets = _targets(content, data)
    text = data.text or content.text
    if not targets:
        last = list(content.series)[-1]
        problems.append(Problem(source, "data.target", f"missing, for the table {content.name}", listed, f"target: {last}"))
    known = {*content.series, *([] if content.matrix is None else [content.target])}
    problems.extend(absent("data.target", name) for name in targets if name not in known)
    if data.split.column is not None and data.split.column not in content.series:
        problems.append(absent("data.split.column", data.split.column))
    elif data.split.column in targets:
        problems.append(Problem(source, "data.split.column", f"{data.split.column!r} is the target", "another column"))
    if content.given and data.split.by != "random":
        found = f"{data.split.by}, and {content.name} divides its rows itself into {', '.join(content.given)}"
        problems.append(Problem(source, "data.split.by", found, "random: a part that is missing is cut from train at random"))
    if table is None:
        problems.extend(Problem(source, "data.drop", f"{column!r}: arrays have no columns", "leave it out") for column in data.drop)
        if data.text is not None:
            problems.append(Problem(source, "data.text", f"{data.text!r}: arrays have no columns", "leave it out"))
    else:
        problems.extend(absent("data.drop", column) for column in data.drop if column not in content.series)
        if text is not None and text not in table:
            problems.append(absent("data.text", text))
        elif text is not None and text in (*targets, *data.drop, data.split.column):
            problems.append(Problem(source, "data.text", f"{text!r} is the target, a dropped or the split's column", "another column"))
    for name in targets:
        if name in data.drop:
            problems.append(
                Problem(source, "data.drop", f"{name!r} is the target", "columns that are not inputs; the target is none anyway")
            )
    if problems:
        raise InputError(problems)
    column = None if data.split.column is None else content.series[data.split.column]
    name, target = _target(content, targets)
    if table is None:
        return Selection(content.inputs, name, target, column, None, {})
    dropped = dict.fromkeys(data.drop, "data.drop")
    if data.split.column is not None:
        dropped[data.split.column] = f"the split's {data.split.by} column"
    if text is not None:
        dropped |= {str(other): "data.text is the only input" for other in table if other not in (text, *targets, *dropped)}
    inputs = table.drop(columns=[other for other in (*targets, *dropped) if other in table])
    if inputs.columns.empty:
        raise InputError.of(source, "data.drop", f"no input column of {content.name} is left", "at least one")
    return Selection(inputs, name, target, column, text, dropped)


def _targets(content: Content, data: Data) -> list[str]:
    """The names of the target's columns, or of its array."""
    if isinstance(data.target, list):
        return data.target
    name = data.target or content.target
    return [] if name is None else [name]


def _target(content: Content, targets: list[str]) -> tuple[str, pd.Series[Any] | pd.DataFrame]:
    """The target by the names of its columns, or of its array."""
    import pandas as pd

    if len(targets) > 1:
        return ", ".join(targets), pd.DataFrame({name: content.series[name] for name in targets})
    (name,) = targets
    if content.matrix is not None and name not in content.series:
        return name, content.matrix
    return name, content.series[name]
