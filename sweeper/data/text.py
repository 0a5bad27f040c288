"""Texts as rows of token numbers, with a vocabulary fitted on the training part."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sweeper.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from sweeper.config.schema import Tokens

PADDING, UNKNOWN = 0, 1
"""Token numbers with a meaning of their own; the vocabulary begins after them."""
RESERVED = 2

WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class TextInputs:
    """A fitted vocabulary.

    Attributes:
        column: the texts' column in a table.
        level: a token is a word or punctuation mark in lower case, or a character.
        length: tokens of a row; shorter texts are padded at the end, longer ones cut off.
        vocabulary: the known tokens in the order of their numbers, from 2 on: the commonest of the training part first.
    """

    column: str
    level: Literal["word", "char"]
    length: int
    vocabulary: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The column's name."""
        return (self.column,)

    @property
    def tokens(self) -> int:
        """How many token numbers there are, padding and unknown included."""
        return RESERVED + len(self.vocabulary)

    def transform(self, table: pd.DataFrame | pd.Series[Any] | np.ndarray | Iterable[str], source: str) -> np.ndarray:
        """Token numbers, int64 ``[n, length]``; a text without tokens is one unknown token, so that no row is empty.

        Args:
            table: a table with the column, or the texts themselves.
            source: names the texts in errors.

        Raises:
            InputError: there is no such column, or a value that is not text.
        """
        texts = texts_of(table, self.column, source)
        numbers = {token: number for number, token in enumerate(self.vocabulary, start=RESERVED)}
        out = np.full((len(texts), self.length), PADDING, dtype=np.int64)
        for row, text in zip(out, texts, strict=True):
            found = [numbers.get(token, UNKNOWN) for token in islice(split(text, self.level), self.length)] or [UNKNOWN]
            row[: len(found)] = found
        return out

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"column": self.column, "level": self.level, "length": self.length, "vocabulary": list(self.vocabulary)}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> TextInputs:
        """What ``to_json`` wrote."""
        return cls(tree["column"], tree["level"], tree["length"], tuple(tree["vocabulary"]))


def split(text: str, level: Literal["word", "char"]) -> Iterable[str]:
    """The tokens of a text, one after another."""
    return text if level == "char" else (found.group() for found in WORD.finditer(text.lower()))


def texts_of(table: pd.DataFrame | pd.Series[Any] | np.ndarray | Iterable[str], column: str, source: str) -> list[str]:
    """The texts of a column, or of anything that is a sequence of texts; a gap is an empty text.

    Raises:
        InputError: there is no such column, or a value that is not text.
    """
    import pandas as pd

    if isinstance(table, str):
        raise InputError.of(source, "", "one text", "a list of texts, or a table with the column " + repr(column))
    if isinstance(table, pd.DataFrame):
        named = table.rename(columns=str)
        if column not in named:
            raise InputError.of(source, "", f"has no column {column!r}", "the column of texts as in training")
        values = named[column]
    else:
        flat = np.asarray(table, dtype=object)
        if flat.ndim != 1 and not (flat.ndim == 2 and flat.shape[1] == 1):
            raise InputError.of(source, "", f"an array of shape {list(flat.shape)}", "texts: [n]")
        values = pd.Series(flat.reshape(-1))
    gaps = values.isna().to_numpy()
    found = ["" if gap else value for gap, value in zip(gaps, values.tolist(), strict=True)]
    strange = next((row for row, value in enumerate(found) if not isinstance(value, str)), None)
    if strange is not None:
        raise InputError.of(source, "data.text", f"{found[strange]!r} in row {strange + 1}", "text in every row")
    return found


def fit_text(train: Iterable[str], column: str, tokens: Tokens) -> TextInputs:
    """Fit to the texts of the training part.

    Rows are as long as its longest text, at most ``tokens.length``. Tokens that are equally common are in alphabetical order.
    """
    counts: Counter[str] = Counter()
    level: Literal["word", "char"] = "char" if tokens.level == "char" else "word"
    longest = 1
    for text in train:
        found = list(split(text, level))
        counts.update(found)
        longest = max(longest, len(found))
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: tokens.vocabulary - RESERVED]
    return TextInputs(column, level, min(longest, tokens.length), tuple(token for token, _ in common))


def text_facts(inputs: TextInputs, texts: Iterable[str], x: np.ndarray) -> dict[str, Any]:
    """For people: the column, the vocabulary's size, rows that were cut, empty rows, and the share of tokens that are unknown.

    Args:
        inputs: fitted.
        texts: of every row.
        x: their token numbers ``[n, length]``.
    """
    sizes = np.array([sum(1 for _ in split(text, inputs.level)) for text in texts])
    return {
        "column": inputs.column,
        "level": inputs.level,
        "tokens": inputs.tokens,
        "length": inputs.length,
        "rows_cut": int((sizes > inputs.length).sum()),
        "rows_empty": int((sizes == 0).sum()),
        "unknown_share": round(float((x == UNKNOWN).sum() / max(1, (x != PADDING).sum())), 4),
    }
