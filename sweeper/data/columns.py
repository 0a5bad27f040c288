"""One column of a table: what kind of values it holds, and how these become numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from sweeper.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Kind: TypeAlias = Literal["number", "boolean", "datetime", "text"]
Encoding: TypeAlias = Literal["onehot", "ordinal"]

KINDS: dict[str, Kind] = {
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "empty": "number",  # nothing but gaps
    "boolean": "boolean",
    "datetime64": "datetime",
    "datetime": "datetime",
    "date": "datetime",
    "string": "text",
    "categorical": "text",
    "mixed-integer": "text",
}
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")
BOOLEANS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
ALLOWED = {"number": "numbers", "boolean": "true and false", "datetime": "ISO 8601 dates (2024-03-31 or 2024-03-31 12:00:00)"}


def kind_of(series: pd.Series[Any]) -> Kind | None:
    """The kind of a column's values; None for what no column of numbers can be made of (lists, bytes, durations).

    Text that is an ISO 8601 date in every row counts as ``datetime``: CSV files know no other dates.
    """
    from pandas.api.types import infer_dtype

    kind = KINDS.get(infer_dtype(series, skipna=True))
    if kind is None:
        scalars = (str, bool, int, float)
        return "text" if all(isinstance(value, scalars) for value in series.dropna()) else None
    if kind == "text" and _all_dates(series.dropna().unique()):
        return "datetime"
    return kind


def kinds_of(table: pd.DataFrame) -> dict[str, Kind | None]:
    """The kind of every column, in order; None where there is none."""
    return {str(name): kind_of(table[name]) for name in table}


def _all_dates(values: Iterable[Any]) -> bool:
    """Whether every value is the text of an ISO 8601 date that exists."""
    import pandas as pd

    texts = list(values)
    if not all(isinstance(text, str) and ISO_DATE.fullmatch(text) for text in texts):
        return False
    return bool(pd.to_datetime(pd.Series(texts), utc=True, format="ISO8601", errors="coerce").notna().all())


def texts(series: pd.Series[Any]) -> np.ndarray:
    """The values as text, object ``[n]``; None for a gap; whole numbers without a fraction (``1.0`` is ``"1"``)."""
    values = series.astype(object).map(_text, na_action="ignore").to_numpy(dtype=object, copy=True)
    values[series.isna().to_numpy()] = None
    return values


def distinct_texts(series: pd.Series[Any]) -> list[str]:
    """The different values as text, in the order of their first rows, without gaps."""
    return [str(value) for value in series.astype(object).map(str, na_action="ignore").dropna().unique()]


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def numbers(series: pd.Series[Any], kind: Kind, source: str = "data") -> np.ndarray:
    """The values as float64 ``[n]``; NaN for a gap; datetimes as seconds since 1970 (UTC where no zone is given).

    Raises:
        InputError: a value is not of this kind.
    """
    import pandas as pd

    if kind == "boolean":
        values = series.astype(object).map(lambda value: BOOLEANS.get(str(value).lower().removesuffix(".0")), na_action="ignore")
        result = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    elif kind == "datetime":
        # As text, because numbers would be taken for nanoseconds and mixed zones need one common clock.
        stamps = pd.to_datetime(series.astype(object).map(str, na_action="ignore"), utc=True, format="ISO8601", errors="coerce")
        result = ((stamps - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)).to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        result = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(np.isnan(result) & series.notna().to_numpy())
    if len(wrong):
        found = f"column {str(series.name)!r} holds {str(series.iloc[wrong[0]])!r} in row {wrong[0] + 1}"
        raise InputError.of(source, "", found, ALLOWED[kind])
    return result


@dataclass(frozen=True, slots=True)
class Column:
    """The fitted numbers of one input column.

    Attributes:
        name: as in the file, whatever its characters.
        kind: what the values are.
        offset: subtracted from the number.
        scale: then divided by this; never 0.
        fill: stands in for a gap; None where gaps are refused or (text) a category of their own.
        encoding: how text becomes numbers; None for other kinds.
        categories: the texts seen in training, sorted, None (a gap) last; empty for other kinds.
    """

    name: str
    kind: Kind
    offset: float = 0.0
    scale: float = 1.0
    fill: float | None = None
    encoding: Encoding | None = None
    categories: tuple[str | None, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers the column becomes."""
        return len(self.categories) if self.encoding == "onehot" else 1

    def transform(self, series: pd.Series[Any], source: str = "data") -> np.ndarray:
        """Numbers for these values, float64 ``[n, width]``.

        A text that was not seen in training becomes zeros (onehot) or the code -1 (ordinal).

        Raises:
            InputError: a value is of another kind, infinite, or a gap where training allowed none.
        """
        if self.kind == "text":
            index = {category: code for code, category in enumerate(self.categories)}
            codes = np.array([index.get(text, -1) for text in texts(series)], dtype=np.int64)
            if self.encoding == "ordinal":
                return np.asarray((codes - self.offset) / self.scale)[:, None]
            return np.equal(codes[:, None], np.arange(self.width)).astype(np.float64)
        values = numbers(series, self.kind, source)
        gaps = np.isnan(values)
        if gaps.any():
            if self.fill is None:
                found = f"column {self.name!r} has {int(gaps.sum())} gaps, the first in row {int(gaps.argmax()) + 1}"
                raise InputError.of(source, "data.missing", found, "no gaps with missing: error")
            values = np.where(gaps, self.fill, values)
        if not np.isfinite(values).all():
            row = int((~np.isfinite(values)).argmax()) + 1
            raise InputError.of(source, "", f"column {self.name!r} is infinite in row {row}", "finite numbers")
        return np.asarray((values - self.offset) / self.scale)[:, None]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; floats keep every bit."""
        tree: dict[str, Any] = {"name": self.name, "kind": self.kind, "offset": self.offset, "scale": self.scale, "fill": self.fill}
        if self.encoding is not None:
            tree |= {"encoding": self.encoding, "categories": list(self.categories)}
        return tree

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Column:
        """The column that ``to_json`` wrote."""
        return cls(**{**tree, "categories": tuple(tree.get("categories", ()))})
