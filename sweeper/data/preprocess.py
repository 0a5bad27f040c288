"""The fitted preprocessing as it travels with a model: raw rows in, labels or units out, plain JSON between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sweeper.data.inputs import ArrayInputs, TableInputs
from sweeper.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

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
class Preprocessing:
    """What training did to the rows, and the way back from outputs to labels or units.

    Attributes:
        inputs: the fitted numbers of a table's columns or of an array.
        target: how outputs are read.
    """

    inputs: TableInputs | ArrayInputs
    target: Target

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the input columns; empty for arrays."""
        return self.inputs.names if isinstance(self.inputs, TableInputs) else ()

    def transform(self, table: pd.DataFrame | np.ndarray, source: str = "data") -> np.ndarray:
        """Inputs of a model for these raw rows, float32 ``[n, features]`` or ``[n, channels, height, width]``.

        Args:
            table: a table with at least the input columns, in any order (others are ignored); or an array of the
                shape seen in training, for a table with one column per input column, in their order.
            source: names the rows in errors.

        Raises:
            InputError: a column is missing, or values are not what training knew: every such column at once.
        """
        exact = self.inputs.transform(table, source)
        with np.errstate(over="ignore"):  # found below, and said in a sentence
            narrow = exact.astype(np.float32)
        if not np.isfinite(narrow).all():
            raise InputError.of(source, "data.scale", "values that are too large for 32-bit numbers after scaling", "numbers up to 3e38")
        return narrow

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """The original labels of class indices ``[n]``, or regression outputs ``[n]`` or ``[n, 1]`` in the target's own unit."""
        if self.target.values:
            return np.array(self.target.values)[np.asarray(outputs, dtype=np.int64)]
        return np.asarray(outputs, dtype=np.float64).reshape(-1) * self.target.scale + self.target.mean

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, from which ``from_json`` makes an equal object, bit for bit."""
        kind = "table" if isinstance(self.inputs, TableInputs) else "array"
        return {"format": FORMAT, kind: self.inputs.to_json(), "target": {**asdict(self.target), "values": list(self.target.values)}}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that ``to_json`` wrote.

        Raises:
            InputError: it was not written by ``to_json``, or by one of another format.
        """
        try:
            if tree["format"] != FORMAT:
                raise InputError.of("preprocessing.json", "format", repr(tree["format"]), str(FORMAT), "export the model again")
            target = Target(**{**tree["target"], "values": tuple(tree["target"]["values"])})
            if "table" in tree:
                return cls(TableInputs.from_json(tree["table"]), target)
            return cls(ArrayInputs.from_json(tree["array"]), target)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError.of("preprocessing.json", "", f"damaged: {error!r}", "the file that was exported with the model") from error
