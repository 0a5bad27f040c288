"""Rows that are token numbers already, as another program's tokenizer wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeper.data.text import RESERVED, UNKNOWN
from sweeper.errors import InputError


@dataclass(frozen=True, slots=True)
class IdInputs:
    """What is known of the numbers.

    Attributes:
        length: tokens of a row, padding (0) included.
        tokens: the training part's numbers are below this; larger ones become the unknown token.
    """

    length: int
    tokens: int

    def transform(self, table: Any, source: str) -> np.ndarray:
        """Token numbers, int64 ``[n, length]``; a row of padding alone becomes one unknown token, so that no row is empty.

        Raises:
            InputError: no whole numbers from 0 on, or rows of another length.
        """
        rows = checked(np.asarray(table), source)
        if rows.shape[1] != self.length:
            raise InputError.of(source, "", f"rows of {rows.shape[1]} tokens", f"rows of {self.length}, as in training")
        known = np.where(rows < self.tokens, rows, UNKNOWN).astype(np.int64)
        known[:, 0] += UNKNOWN * ~known.any(axis=1)
        return known

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"length": self.length, "tokens": self.tokens}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> IdInputs:
        """What ``to_json`` wrote."""
        return cls(tree["length"], tree["tokens"])


def fit_ids(train: Iterable[np.ndarray], file: str) -> IdInputs:
    """Fit to the training rows, some at a time.

    Raises:
        InputError: no whole numbers from 0 on.
    """
    length, largest = 0, 0
    for piece in train:
        rows = checked(piece, file)
        length, largest = rows.shape[1], max(largest, int(rows.max(initial=0)))
    return IdInputs(length, max(RESERVED, largest) + 1)


def checked(rows: np.ndarray, source: str) -> np.ndarray:
    """The rows, if they can be token numbers.

    Raises:
        InputError: they cannot.
    """
    allowed = "whole numbers from 0 on, [rows, length], for tokens: {level: id}"
    if rows.dtype.kind not in "iu" or rows.ndim != 2:
        raise InputError.of(source, "data.tokens.level", f"inputs of type {rows.dtype} and shape {list(rows.shape)}", allowed)
    if rows.size and rows.min() < 0:
        raise InputError.of(source, "data.tokens.level", f"the token number {rows.min()}", allowed)
    return rows
