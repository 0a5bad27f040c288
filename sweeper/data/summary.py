"""What happened to the data, for people: what was read, filled and left out, and what in it looks wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sweeper.data.columns import Kind, distinct_texts
from sweeper.data.content import Content
from sweeper.data.dataset import Part
from sweeper.data.disguise import disguise
from sweeper.data.inputs import TableInputs
from sweeper.data.preprocess import Preprocessing
from sweeper.data.readers import Reader
from sweeper.data.selection import Selection
from sweeper.data.stream import Constancy, row_hashes
from sweeper.data.text import TextInputs, text_facts, texts_of

NAMED = 10
"""So many constant features are named."""


def summarise(
    content: Content,
    selection: Selection,
    kinds: Mapping[str, Kind],
    parts: Mapping[str, Part],
    preprocessing: Preprocessing,
) -> dict[str, Any]:
    """The summary of a data set, JSON-safe, without what only its inputs say.

    Args:
        content: what was read.
        selection: what of it was chosen.
        kinds: of the input columns.
        parts: the prepared rows.
        preprocessing: fitted.
    """
    target = preprocessing.target
    summary: dict[str, Any] = {
        "source": content.name,
        "rows": {name: len(part) for name, part in parts.items()},
        "input_shape": list(parts["train"].x.shape[1:]),
        "target": target.name,
        "columns": dict(kinds),
        "dropped": selection.dropped,
        "filled": {},
        "given": list(content.given),
        **content.notes,
    }
    if preprocessing.tokens:
        summary["tokens"] = preprocessing.tokens
    if isinstance(selection.inputs, np.ndarray | Reader):
        summary["array"] = f"{selection.inputs.dtype} {list(selection.inputs.shape)}"
    else:
        gaps = {column: int(selection.inputs[column].isna().sum()) for column, kind in kinds.items() if kind != "text"}
        summary["filled"] = {column: number for column, number in gaps.items() if number}
        words = [column for column, kind in kinds.items() if kind == "text" and column != selection.text]
        seen = {column: disguise(distinct_texts(selection.inputs[column])) for column in words}
        summary["disguised"] = {column: {"found": one.found, "hint": one.hint} for column, one in seen.items() if one is not None}
    if target.values:
        sizes = {name: np.bincount(part.y, minlength=len(target.values)).tolist() for name, part in parts.items()}
        summary["classes"] = {str(value): {name: sizes[name][index] for name in sizes} for index, value in enumerate(target.values)}
    if target.labels:
        counts = {name: part.y.sum(0).astype(int).tolist() for name, part in parts.items()}
        summary["labels"] = {label: {name: counts[name][index] for name in counts} for index, label in enumerate(target.labels)}
    return summary


def held_facts(
    content: Content, selection: Selection, parts: Mapping[str, Part], preprocessing: Preprocessing, x: np.ndarray
) -> dict[str, Any]:
    """What the inputs say where all of them are in memory: ``duplicates`` and ``constant`` or ``text``.

    Args:
        content: what was read.
        selection: what of it was chosen.
        parts: the prepared rows.
        preprocessing: fitted.
        x: the prepared inputs of every row, in the source's order.
    """
    inputs = preprocessing.inputs
    facts: dict[str, Any] = {"duplicates": duplicates({part: row_hashes(rows.seen()) for part, rows in parts.items()})}
    if isinstance(inputs, TextInputs) and not isinstance(selection.inputs, np.ndarray | Reader):
        return facts | {"text": text_facts(inputs, texts_of(selection.inputs, inputs.column, content.name), x)}
    train = parts["train"].seen()
    return facts | {"constant": constant((train == train[:1]).all(0), inputs)}


def streamed_facts(content: Content, numbers: Mapping[str, np.ndarray], constancy: Constancy) -> dict[str, Any]:
    """The same from what two passes over streamed rows have found, and ``streamed``.

    Args:
        content: what was read.
        numbers: rows by part.
        constancy: of the training rows.
    """
    known = np.empty(0, dtype=np.int64) if content.look is None else content.look.hashes
    parts = {part: known[rows] for part, rows in numbers.items()}
    return {"duplicates": duplicates(parts), "constant": constant(constancy.same, None), "streamed": True}


def duplicates(parts: Mapping[str, np.ndarray]) -> dict[str, int]:
    """How many rows of one part have exactly the inputs of a row of another, whatever their targets: what leaks from train to test.

    Args:
        parts: ``row_hashes`` by part.

    Returns:
        By ``val in train``, ``test in train`` and ``test in val``.
    """
    pairs = (("val", "train"), ("test", "train"), ("test", "val"))
    return {f"{one} in {other}": int(np.isin(parts[one], parts[other]).sum()) for one, other in pairs}


def constant(same: np.ndarray, inputs: Any) -> dict[str, Any]:
    """Features that are the same in every training row, from which nothing can be learnt.

    Args:
        same: bool, as a row.
        inputs: fitted; a table's have names.

    Returns:
        ``number`` of them, and the names or positions of the ``first`` ones.
    """
    if isinstance(inputs, TableInputs):
        ends = np.cumsum([column.width for column in inputs.columns])
        names = [column.name for column, end in zip(inputs.columns, ends, strict=True) if same[end - column.width : end].all()]
    else:
        names = [", ".join(map(str, place)) for place in np.argwhere(same)]
    return {"number": len(names), "first": names[:NAMED]}
