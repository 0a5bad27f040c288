"""Fitting the preprocessing to the training part, with scikit-learn's transformers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from sweeper.data.columns import Column, Encoding, Kind, numbers, texts
from sweeper.data.inputs import ArrayInputs, TableInputs, scaled_axis

if TYPE_CHECKING:
    import pandas as pd

Missing: TypeAlias = Literal["median", "mean", "most_frequent", "error"]
Scale: TypeAlias = Literal["standard", "minmax", "none"]


def fit_array(train: Iterable[np.ndarray], *, scale: Scale) -> ArrayInputs:
    """Fit to training rows ``[n, features]`` or ``[n, time, features]``, per feature, or ``[n, channels, height, width]``, per channel.

    Args:
        train: the rows in pieces: sums in double precision go on from piece to piece.
        scale: how.
    """
    shape: tuple[int, ...] = ()

    def matrices() -> Iterable[np.ndarray]:
        nonlocal shape
        for piece in train:
            shape = tuple(int(size) for size in piece.shape[1:])
            axis = 1 + scaled_axis(len(shape))
            yield np.moveaxis(piece, axis, -1).reshape(-1, piece.shape[axis]).astype(np.float64)

    offset, divisor = _scaling(matrices(), scale)
    return ArrayInputs(shape, tuple(offset), tuple(divisor))


def fit_table(train: pd.DataFrame, kinds: Mapping[str, Kind], *, missing: Missing, categorical: Encoding, scale: Scale) -> TableInputs:
    """Fit to the training rows of a table.

    Args:
        train: the rows.
        kinds: what the input columns hold, in the order of the model's inputs; other columns are not used.
        missing: how gaps in numbers and dates are filled. Gaps in booleans get the most frequent value; gaps in text are a category.
        categorical: how text becomes numbers. A text that is new in production becomes zeros (onehot) or -1 (ordinal).
        scale: of numbers, booleans, dates and ordinal codes; a column that is constant here is only shifted.
    """
    fitted: dict[str, Column] = {}
    for block, strategy in ((("number", "datetime"), missing), (("boolean",), "error" if missing == "error" else "most_frequent")):
        names = [name for name, kind in kinds.items() if kind in block]
        if names:
            matrix = np.column_stack([numbers(train[name], kinds[name]) for name in names])
            fitted |= {column.name: column for column in _fit_numbers(names, kinds, matrix, strategy, scale)}
    for name, kind in kinds.items():
        if kind == "text":
            fitted[name] = _fit_text(name, texts(train[name])[:, None], categorical, scale)
    return TableInputs(tuple(fitted[name] for name in kinds))


def _scaling(matrices: Iterable[np.ndarray], scale: Scale) -> tuple[list[float], list[float]]:
    """Offset and divisor per column of rows ``[n, k]`` in pieces, as scikit-learn's scalers find them (their divisors are never 0)."""
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    standard, minmax, width = StandardScaler(), MinMaxScaler(), 0
    for matrix in matrices:
        width = matrix.shape[1]
        if scale == "standard":
            standard.partial_fit(matrix)
        elif scale == "minmax":
            minmax.partial_fit(matrix)
    if scale == "standard":
        return standard.mean_.tolist(), standard.scale_.tolist()
    if scale == "minmax":
        return minmax.data_min_.tolist(), (1 / minmax.scale_).tolist()
    return [0.0] * width, [1.0] * width


def _fit_numbers(names: Sequence[str], kinds: Mapping[str, Kind], matrix: np.ndarray, strategy: str, scale: Scale) -> list[Column]:
    """Columns ``[n, k]`` of numbers at once: scikit-learn's fixed cost is per call."""
    fills: list[float | None] = [None] * len(names)
    if strategy != "error":
        from sklearn.impute import SimpleImputer

        imputer = SimpleImputer(strategy=strategy).fit(matrix)
        matrix, fills = imputer.transform(matrix), imputer.statistics_.tolist()
    offsets, scales = _scaling([matrix], scale)
    return [Column(name, kinds[name], offsets[i], scales[i], fills[i]) for i, name in enumerate(names)]


def _fit_text(name: str, values: np.ndarray, categorical: Encoding, scale: Scale) -> Column:
    """One column ``[n, 1]`` of texts, None for gaps."""
    if categorical == "onehot":
        from sklearn.preprocessing import OneHotEncoder

        encoder = OneHotEncoder(handle_unknown="ignore").fit(values)
        return Column(name, "text", encoding="onehot", categories=tuple(encoder.categories_[0].tolist()))
    from sklearn.preprocessing import OrdinalEncoder

    # A gap is the last code, as it is the last category; by default scikit-learn would leave it NaN.
    gap = len({text for text in values[:, 0] if text is not None})
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=gap).fit(values)
    offsets, scales = _scaling([ordinal.transform(values)], scale)
    return Column(name, "text", offsets[0], scales[0], encoding="ordinal", categories=tuple(ordinal.categories_[0].tolist()))
