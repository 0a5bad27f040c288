"""Whether the inputs can be made into numbers at all; asked before anything is split or fitted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.data.columns import Kind, distinct_texts, numbers
from sweeper.data.disguise import disguise
from sweeper.data.readers import Reader
from sweeper.data.stream import Look
from sweeper.errors import Problem

if TYPE_CHECKING:
    import pandas as pd

    from sweeper.config.schema import Data

PLAIN = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[^\W\d](?:[\w .-]*\w)?", re.IGNORECASE)
MANY = 50  # more different texts than this in most of the rows are ids, names or prose, not categories
PROSE, LOOKED_AT = 4, 1000
"""Words from which on a text is prose, by the median of so many texts."""


def drop_hint(names: Iterable[str]) -> str:
    """How to leave these columns out, as YAML."""
    return f"drop: [{', '.join(map(_written, names))}]"


def _written(name: str) -> str:
    """The name in YAML: quoted where YAML would read it otherwise."""
    return name if PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def array_problems(array: np.ndarray | Reader, look: Look | None, file: str) -> list[Problem]:
    """What is wrong with an array of inputs; of one that is streamed, ``look`` knows."""
    if array.dtype.kind not in "biuf":
        return [Problem(file, "data.source", f"the inputs are of type {array.dtype}", "an array of numbers")]
    broken, first = (look.broken, look.first) if look is not None else _broken(array)
    if broken:
        found = f"{broken} rows of the inputs hold NaN or infinite values, the first is row {first + 1}"
        return [Problem(file, "data.source", found, "finite numbers")]
    return []


def _broken(array: Any) -> tuple[int, int]:
    """How many rows hold numbers that are not finite, and the first of them."""
    wrong = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1) if array.dtype.kind == "f" else np.zeros(len(array), dtype=bool)
    return int(wrong.sum()), int(wrong.argmax())


def text_problems(series: pd.Series[Any], file: str) -> list[Problem]:
    """What is wrong with the column of texts; gaps are empty texts."""
    values = series.dropna()
    if values.empty:
        return [Problem(file, "data.text", f"column {str(series.name)!r} has no values", "a column of texts")]
    strange = values[~values.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)]
    if len(strange):
        return [Problem(file, "data.text", f"column {str(series.name)!r} holds {strange.iloc[0]}", "text in every row")]
    return []


def column_problems(table: pd.DataFrame, kinds: dict[str, Kind | None], data: Data, file: str) -> list[Problem]:
    """What is wrong with the columns of a table: at most one problem per column."""
    found = (_column_problem(table[name], kind, data, file) for name, kind in kinds.items())
    return [problem for problem in found if problem is not None]


def _column_problem(series: pd.Series[Any], kind: Kind | None, data: Data, file: str) -> Problem | None:
    name = str(series.name)
    drop = drop_hint([name])
    if kind is None:
        return Problem(file, "data.drop", f"column {name!r} holds {series.dtype}", "numbers, text, dates, or true and false", drop)
    gaps = series.isna().to_numpy()
    if gaps.all():
        return Problem(file, "data.drop", f"column {name!r} has no values", "columns with values", drop)
    if kind == "text":
        return _text_problem(series, file)
    if gaps.any() and data.missing == "error":
        found = f"column {name!r} has {int(gaps.sum())} gaps, the first in row {int(gaps.argmax()) + 1}"
        return Problem(file, "data.missing", found, "no gaps with missing: error", "missing: median, mean or most_frequent fills them")
    infinite = np.isinf(numbers(series, kind, file))
    if infinite.any():
        return Problem(file, "data.source", f"column {name!r} is infinite in row {int(infinite.argmax()) + 1}", "finite numbers")
    return None


def _text_problem(series: pd.Series[Any], file: str) -> Problem | None:
    """Text whose values hardly repeat teaches nothing about other rows."""
    distinct = distinct_texts(series)
    if len(distinct) <= max(MANY, len(series) // 2):
        return None
    name = str(series.name)
    found = f"column {name!r} has {len(distinct)} different texts in {len(series)} rows"
    if (seen := disguise(distinct)) is not None:
        hint = f"{seen.hint}, or {drop_hint([name])}"
        return Problem(file, "data.drop", f"{found}; {seen.found}", f"{seen.allowed}, or leave the column out", hint)
    hint = f"an id or a name? {drop_hint([name])}"
    if median(len(text.split()) for text in distinct[:LOOKED_AT]) >= PROSE:
        hint = f"prose? text: {_written(name)}, which is the only input then; {hint}"
    return Problem(file, "data.drop", found, f"texts that repeat (up to {MANY}, or half of the rows)", hint)
