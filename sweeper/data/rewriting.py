"""Training texts in other words, by a function of the user's own: back-translation, say."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.data.content import Content, table_hash
from sweeper.data.functions import folder_of
from sweeper.data.labels import Labels
from sweeper.data.selection import Selection
from sweeper.data.split import Rows
from sweeper.data.text import texts_of
from sweeper.errors import InputError
from sweeper.usercode import call_with, load_attribute

if TYPE_CHECKING:
    from sweeper.config.schema import Data


@dataclass(frozen=True, slots=True, eq=False)
class Divided:
    """A source whose rows have been divided."""

    content: Content
    selection: Selection
    labels: Labels
    rows: Rows


def rewritten(found: Divided, data: Data, source: str) -> Divided:
    """The same with rewritten copies of training texts at the end of the training part, each with its original's label.

    The function of ``data.rewrite`` is called once, with a list of the share of the training texts that is to be rewritten, chosen by
    ``data.seed``, each as often as there are to be copies; it returns as many texts. What it returns is a part of the data's hash.

    Args:
        found: the rows of every part.
        data: the config's section.
        source: the file that the config stands in; the module is also looked for beside it.

    Raises:
        InputError: the rows are no texts, or the function cannot be imported, fails or returns something else.
    """
    import pandas as pd

    if data.rewrite is None:
        return found
    selection, name = found.selection, data.rewrite
    if not isinstance(selection.inputs, pd.DataFrame) or selection.text is None:
        raise InputError.of(source, "data.rewrite", f"{name}, and the rows are no texts", "only beside texts", "delete it")
    train = found.rows.train
    number = max(1, round(len(train) * data.rewrite_share))
    chosen = np.tile(np.sort(np.random.default_rng(data.seed).permutation(train)[:number]), data.rewrite_copies)
    before = texts_of(selection.inputs.iloc[chosen], selection.text, found.content.name)
    function = load_attribute(name, folder_of(data, source), source=source, key="data.rewrite")
    texts = _texts(call_with(function, [list(before)], name=name, source=source, key="data.rewrite"), len(before), name, source)
    table = pd.DataFrame({selection.text: pd.Series(texts, dtype=object)})
    labels, begin = found.labels, len(found.labels.y)
    digest = hashlib.sha256(f"{found.content.hash} {table_hash(table)} {chosen.tolist()}".encode()).hexdigest()
    changed = sum(one != other for one, other in zip(texts, before, strict=True))
    notes = {**found.content.notes, "rewritten": {"function": name, "rows": len(texts), "changed": changed}}
    return Divided(
        replace(found.content, hash=digest, notes=notes),
        replace(selection, inputs=pd.concat([selection.inputs, table], ignore_index=True)),
        replace(labels, y=np.concatenate([labels.y, labels.y[chosen]])),
        replace(found.rows, train=np.concatenate([train, np.arange(begin, begin + len(texts))])),
    )


def _texts(result: Any, number: int, name: str, source: str) -> list[str]:
    """What the function returned, if it is as many texts as it was given."""
    if isinstance(result, str) or not hasattr(result, "__iter__"):
        raise InputError.of(source, "data.rewrite", f"{name} returned {type(result).__name__}", f"a list of {number} texts")
    texts = list(result)
    strange = next((one for one in texts if not isinstance(one, str)), None)
    if strange is not None or len(texts) != number:
        found = f"{len(texts)} texts" if strange is None else f"a list with {type(strange).__name__}"
        raise InputError.of(source, "data.rewrite", f"{name} returned {found}", f"a list of {number} texts, one for each that it got")
    return texts
