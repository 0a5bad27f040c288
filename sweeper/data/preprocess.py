"""Preprocessing: fitted on the training part with scikit-learn, kept as plain numbers, applied without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from sweeper.data.columns import Column, Encoding, Kind, numbers, texts
from sweeper.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

Missing: TypeAlias = Literal["median", "mean", "most_frequent", "error"]
Scale: TypeAlias = Literal["standard", "minmax", "none"]
Label: TypeAlias = bool | int | float | str

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Target:
    """How a model's outputs are read.

    Attributes:
        name: the target's name in the source.
        values: the original labels in the order of the class indices; empty for regression.
        mean: mean of the training part's target; 0 for classification.
        scale: standard deviation of the same; 1 for classification.
    """

    name: str
    values: tuple[Label, ...] = ()
    mean: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class ArrayInputs:
    """The fitted numbers of an array without named columns.

    Attributes:
        shape: of one row: ``(features,)`` or ``(channels, height, width)``.
        offset: per feature or channel.
        scale: per feature or channel; never 0.
    """

    shape: tuple[int, ...]
    offset: tuple[float, ...]
    scale: tuple[float, ...]

    def transform(self, array: np.ndarray, source: str = "data") -> np.ndarray:
        """``(array - offset) / scale``, float64.

        Raises:
            InputError: the shape of a row differs from that of training, or a value is not finite.
        """
        if tuple(array.shape[1:]) != self.shape:
            raise InputError.of(source, "", f"rows of shape {list(array.shape[1:])}", f"rows of shape {list(self.shape)}, as in training")
        if not (np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_):
            raise InputError.of(source, "", f"an array of type {array.dtype}", "an array of numbers")
        values = array.astype(np.float64)
        if not np.isfinite(values).all():
            row = int((~np.isfinite(values)).any(axis=tuple(range(1, values.ndim))).argmax()) + 1
            raise InputError.of(source, "", f"NaN or infinite values, the first in row {row}", "finite numbers")
        axes = (-1,) + (1,) * (len(self.shape) - 1)
        return np.asarray((values - np.reshape(self.offset, axes)) / np.reshape(self.scale, axes))


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What training did to the rows, and the way back from outputs to labels or units.

    Attributes:
        inputs: one fitted column per input column of a table, in the table's order; or the fitted numbers of an array.
        target: how outputs are read.
    """

    inputs: tuple[Column, ...] | ArrayInputs
    target: Target

    @classmethod
    def fit(
        cls,
        train: pd.DataFrame | np.ndarray,
        target: Target,
        *,
        kinds: Mapping[str, Kind] | None = None,
        missing: Missing = "median",
        categorical: Encoding = "onehot",
        scale: Scale = "standard",
    ) -> Preprocessing:
        """Fit to the training part.

        Args:
            train: its rows, inputs only; arrays are ``[n, features]`` or ``[n, channels, height, width]``.
            target: how outputs are read.
            kinds: the kind of each column of a table, in the order of the outputs.
            missing: how gaps in numbers are filled; gaps in booleans get the most frequent value, gaps in text are a category.
            categorical: how text becomes numbers. A text that is new in production becomes zeros (onehot) or -1 (ordinal).
            scale: of numbers, booleans, dates and ordinal codes; a column that is constant in training is only shifted.
        """
        if isinstance(train, np.ndarray):
            return cls(_fit_array(train, scale), target)
        return cls(_fit_columns(train, kinds or {}, missing, categorical, scale), target)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the input columns; empty for arrays."""
        return () if isinstance(self.inputs, ArrayInputs) else tuple(column.name for column in self.inputs)

    def transform(self, table: pd.DataFrame | np.ndarray, source: str = "data") -> np.ndarray:
        """Inputs of a model for these raw rows, float32 ``[n, features]`` or ``[n, channels, height, width]``.

        Args:
            table: a table with at least the input columns, in any order (others are ignored); or an array
                of the shape seen in training, for a table one column per input column, in their order.
            source: names the rows in errors.

        Raises:
            InputError: a column is missing, or a value is not what training knew: every such column at once.
        """
        if isinstance(self.inputs, ArrayInputs):
            rows = np.asarray(table)
            result = self.inputs.transform(rows.reshape(len(rows), *self.inputs.shape) if _flat(rows, self.inputs) else rows, source)
        else:
            result = self._transform_table(self._named(table, source), source)
        with np.errstate(over="ignore"):  # told below, by name
            narrow = result.astype(np.float32)
        if not np.isfinite(narrow).all():
            raise InputError.of(source, "data.scale", "values too large for 32-bit numbers after scaling", "numbers up to 3e38")
        return narrow

    def _named(self, table: pd.DataFrame | np.ndarray, source: str) -> pd.DataFrame:
        """The table with every input column present."""
        import pandas as pd

        if isinstance(table, np.ndarray):
            if table.ndim != 2 or table.shape[1] != len(self.columns):
                allowed = f"[rows, {len(self.columns)}]: {', '.join(self.columns[:8])}{' ...' if len(self.columns) > 8 else ''}"
                raise InputError.of(source, "", f"an array of shape {list(table.shape)}", allowed)
            return pd.DataFrame(table, columns=list(self.columns))
        present = {str(name) for name in table.columns}
        absent = [name for name in self.columns if name not in present]
        if absent:
            raise InputError(
                Problem(source, "", f"has no column {name!r}", "every column that was an input in training") for name in absent
            )
        return table.rename(columns=str)

    def _transform_table(self, table: pd.DataFrame, source: str) -> np.ndarray:
        """All columns side by side; every column's problems at once."""
        blocks: list[np.ndarray] = [np.empty((len(table), 0))]
        problems: list[Problem] = []
        for column in self._columns():
            try:
                blocks.append(column.transform(table[column.name], source))
            except InputError as error:
                problems.extend(error.problems)
        if problems:
            raise InputError(problems)
        return np.concatenate(blocks, axis=1)

    def _columns(self) -> tuple[Column, ...]:
        return () if isinstance(self.inputs, ArrayInputs) else self.inputs

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """The original labels of class indices ``[n]``, or regression outputs ``[n]`` or ``[n, 1]`` in the target's own unit."""
        if self.target.values:
            return np.array(self.target.values)[np.asarray(outputs, dtype=np.int64)]
        return np.asarray(outputs, dtype=np.float64).reshape(-1) * self.target.scale + self.target.mean

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, from which ``from_json`` makes an equal object, bit for bit."""
        if isinstance(self.inputs, ArrayInputs):
            inputs: dict[str, Any] = {
                "array": {"shape": list(self.inputs.shape), "offset": list(self.inputs.offset), "scale": list(self.inputs.scale)}
            }
        else:
            inputs = {"columns": [column.to_json() for column in self.inputs]}
        target = {"name": self.target.name, "values": list(self.target.values), "mean": self.target.mean, "scale": self.target.scale}
        return {"format": FORMAT, **inputs, "target": target}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that ``to_json`` wrote.

        Raises:
            InputError: the tree was not written by ``to_json`` of this format.
        """
        try:
            if tree["format"] != FORMAT:
                raise InputError.of("preprocessing.json", "format", repr(tree["format"]), str(FORMAT))
            target = Target(**{**tree["target"], "values": tuple(tree["target"]["values"])})
            if "array" in tree:
                return cls(ArrayInputs(**{name: tuple(values) for name, values in tree["array"].items()}), target)
            return cls(tuple(Column.from_json(column) for column in tree["columns"]), target)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError.of("preprocessing.json", "", f"damaged: {error!r}", "the file that was exported with the model") from error


def _flat(rows: np.ndarray, inputs: ArrayInputs) -> bool:
    """Whether images come as flat rows, as tables hold them."""
    return rows.ndim == 2 and len(inputs.shape) == 3 and rows.shape[1] == int(np.prod(inputs.shape))


def _scaling(matrix: np.ndarray, scale: Scale) -> tuple[list[float], list[float]]:
    """Offset and divisor per column of ``[n, k]``, as scikit-learn's scalers find them."""
    if scale == "standard":
        from sklearn.preprocessing import StandardScaler

        standard = StandardScaler().fit(matrix)
        return standard.mean_.tolist(), standard.scale_.tolist()
    if scale == "minmax":
        from sklearn.preprocessing import MinMaxScaler

        minmax = MinMaxScaler().fit(matrix)
        return minmax.data_min_.tolist(), (1 / minmax.scale_).tolist()
    return [0.0] * matrix.shape[1], [1.0] * matrix.shape[1]


def _fit_array(train: np.ndarray, scale: Scale) -> ArrayInputs:
    """Per channel for images, per feature otherwise."""
    matrix = train.astype(np.float64)
    if matrix.ndim > 2:
        matrix = np.moveaxis(matrix, 1, -1).reshape(-1, train.shape[1])
    offset, divisor = _scaling(matrix, scale)
    return ArrayInputs(tuple(int(size) for size in train.shape[1:]), tuple(offset), tuple(divisor))


def _fit_columns(
    train: pd.DataFrame, kinds: Mapping[str, Kind], missing: Missing, categorical: Encoding, scale: Scale
) -> tuple[Column, ...]:
    """Numbers in blocks (scikit-learn is slow by the column), text one by one."""
    fitted: dict[str, Column] = {}
    for block, strategy in ((("number", "datetime"), missing), (("boolean",), "error" if missing == "error" else "most_frequent")):
        names = [name for name, kind in kinds.items() if kind in block]
        if names:
            matrix = np.column_stack([numbers(train[name], kinds[name]) for name in names])
            fitted |= {column.name: column for column in _fit_numbers(names, kinds, matrix, strategy, scale)}
    for name, kind in kinds.items():
        if kind == "text":
            fitted[name] = _fit_text(name, texts(train[name]), categorical, scale)
    return tuple(fitted[name] for name in kinds)


def _fit_numbers(names: Sequence[str], kinds: Mapping[str, Kind], matrix: np.ndarray, strategy: str, scale: Scale) -> list[Column]:
    fills: list[float | None] = [None] * len(names)
    if strategy != "error":
        from sklearn.impute import SimpleImputer

        imputer = SimpleImputer(strategy=strategy).fit(matrix)
        matrix, fills = imputer.transform(matrix), imputer.statistics_.tolist()
    offsets, scales = _scaling(matrix, scale)
    return [Column(name, kinds[name], offsets[i], scales[i], fills[i]) for i, name in enumerate(names)]


def _fit_text(name: str, values: np.ndarray, categorical: Encoding, scale: Scale) -> Column:
    if categorical == "onehot":
        from sklearn.preprocessing import OneHotEncoder

        encoder = OneHotEncoder(handle_unknown="ignore").fit(values[:, None])
        return Column(name, "text", encoding="onehot", categories=tuple(encoder.categories_[0].tolist()))
    from sklearn.preprocessing import OrdinalEncoder

    # A gap is the last code, as it is the last category; by default scikit-learn would leave it NaN.
    gap = len({value for value in values if value is not None})
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=gap).fit(values[:, None])
    offsets, scales = _scaling(ordinal.transform(values[:, None]), scale)
    return Column(name, "text", offsets[0], scales[0], encoding="ordinal", categories=tuple(ordinal.categories_[0].tolist()))
