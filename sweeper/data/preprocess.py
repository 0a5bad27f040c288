"""The fitted preprocessing as it travels with a model: raw rows in, labels or units out, plain JSON between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from sweeper.data.ids import IdInputs
from sweeper.data.inputs import ArrayInputs, TableInputs
from sweeper.data.text import TextInputs
from sweeper.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Label: TypeAlias = bool | int | float | str
Inputs: TypeAlias = TableInputs | ArrayInputs | TextInputs | IdInputs
Raw: TypeAlias = "pd.DataFrame | pd.Series[Any] | np.ndarray | Sequence[str]"
"""Rows as they come: a table, an array, or texts."""

FORMAT = 1
KINDS: Mapping[str, type[Inputs]] = {"table": TableInputs, "array": ArrayInputs, "text": TextInputs, "ids": IdInputs}


@dataclass(frozen=True, slots=True)
class Target:
    """How a model's outputs are read.

    Attributes:
        name: the target's name in the source.
        values: the original labels in the order of the class indices; empty for other tasks than classification.
        mean: mean of the training part's target; 0 for other tasks than regression.
        scale: standard deviation of the same; 1 for other tasks than regression.
        labels: the names of the labels that a row may have or not; empty for other tasks than multilabel.
    """

    name: str
    values: tuple[Label, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What training did to the rows, and the way back from outputs to labels or units.

    Attributes:
        inputs: the fitted numbers of a table's columns, of an array, a vocabulary, or the range of token numbers.
        target: how outputs are read.
    """

    inputs: Inputs
    target: Target

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the input columns; empty for arrays."""
        return () if isinstance(self.inputs, ArrayInputs | IdInputs) else self.inputs.names

    @property
    def tokens(self) -> int:
        """How many token numbers there are; 0 where inputs are numbers that mean what they say."""
        return self.inputs.tokens if isinstance(self.inputs, TextInputs | IdInputs) else 0

    def transform(self, table: Raw, source: str = "data") -> np.ndarray:
        """Inputs of a model for these raw rows.

        Args:
            table: a table with at least the input columns, in any order (others are ignored); or an array of the
                shape seen in training, for a table with one column per input column, in their order; or texts, where training saw texts.
            source: names the rows in errors.

        Returns:
            float32 ``[n, features]``, ``[n, time, features]`` or ``[n, channels, height, width]``; or token numbers, int64 ``[n, length]``.

        Raises:
            InputError: a column is missing, or values are not what training knew: every such column at once.
        """
        if isinstance(self.inputs, TextInputs | IdInputs):
            return self.inputs.transform(table, source)
        exact = self.inputs.transform(cast("pd.DataFrame | np.ndarray", table), source)
        with np.errstate(over="ignore"):  # found below, and said in a sentence
            narrow = exact.astype(np.float32)
        if not np.isfinite(narrow).all():
            raise InputError.of(source, "data.scale", "values that are too large for 32-bit numbers after scaling", "numbers up to 3e38")
        return narrow

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """What outputs mean.

        Args:
            outputs: class indices ``[n]``; logits ``[n, labels]`` of several labels; or standardised values ``[n]`` or ``[n, 1]``.

        Returns:
            The original labels ``[n]``; 1 for every label that is more likely than not, else 0, int64 ``[n, labels]``; or values in the
            target's own unit ``[n]``.
        """
        if self.target.labels:
            return (np.asarray(outputs) > 0).astype(np.int64)
        if self.target.values:
            return np.array(self.target.values)[np.asarray(outputs, dtype=np.int64)]
        return np.asarray(outputs, dtype=np.float64).reshape(-1) * self.target.scale + self.target.mean

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, from which ``from_json`` makes an equal object, bit for bit."""
        (kind,) = (kind for kind, inputs in KINDS.items() if isinstance(self.inputs, inputs))
        target = {**asdict(self.target), "values": list(self.target.values), "labels": list(self.target.labels)}
        return {"format": FORMAT, kind: self.inputs.to_json(), "target": target}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Preprocessing:
        """The preprocessing that ``to_json`` wrote.

        Raises:
            InputError: it was not written by ``to_json``, or by one of another format.
        """
        try:
            if tree["format"] != FORMAT:
                raise InputError.of("preprocessing.json", "format", repr(tree["format"]), str(FORMAT), "export the model again")
            labels = tuple(tree["target"].get("labels", ()))  # files before 2026-11-21 have none
            target = Target(**{**tree["target"], "values": tuple(tree["target"]["values"]), "labels": labels})
            (kind,) = (kind for kind in KINDS if kind in tree)
            return cls(KINDS[kind].from_json(tree[kind]), target)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError.of("preprocessing.json", "", f"damaged: {error!r}", "the file that was exported with the model") from error
