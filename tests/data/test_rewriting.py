"""Training texts in other words, by a user's function."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from sweeper.config.schema import Data
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.errors import InputError

Rewrite = Callable[..., Any]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Dataset]]:
    """Prepares texts with a function that rewrites them."""
    module = types.ModuleType("a_users_words")
    monkeypatch.setitem(sys.modules, "a_users_words", module)
    path = list(sys.path)

    def prepared(rewrite: Rewrite, **keys: Any) -> Dataset:
        module.rewrite = rewrite  # type: ignore[attr-defined]
        section = {"source": "synthetic_text", "params": {"rows": 200}, "rewrite": "a_users_words:rewrite", **keys}
        return prepare(Data.model_validate(section), "classification", source="space.yaml")

    yield prepared
    sys.path[:] = path


def test_training_texts_are_rewritten_once(load: Callable[..., Dataset]) -> None:
    """A share of them, in so many copies, at the end of the training part with their labels; the other parts are as before."""
    calls: list[list[str]] = []

    def again(texts: list[str]) -> list[str]:
        calls.append(texts)
        return [f"indeed {text}" for text in texts]

    plain = prepare(Data.model_validate({"source": "synthetic_text", "params": {"rows": 200}}), "classification")
    data = load(again, rewrite_share=0.25, rewrite_copies=2)
    rows = plain.summary["rows"]["train"]
    (texts,) = calls
    assert len(texts) == 2 * rows // 4
    assert data.summary["rows"] == {**plain.summary["rows"], "train": rows + len(texts)}
    assert data.summary["rewritten"] == {"function": "a_users_words:rewrite", "rows": len(texts), "changed": len(texts)}
    assert np.array_equal(data.val.y, plain.val.y)
    assert np.array_equal(data.train.y[:rows], plain.train.y)
    assert (data.train.x[rows:, 0] == data.preprocessing.transform(["indeed"])[0, 0]).all()
    where = {row.tobytes(): label for row, label in zip(data.train.x[:rows, :-1], data.train.y[:rows], strict=True)}
    assert all(where[row.tobytes()] == label for row, label in zip(data.train.x[rows:, 1:], data.train.y[rows:], strict=True))


def test_what_the_function_makes_is_part_of_the_data(load: Callable[..., Dataset]) -> None:
    """The same words are the same data, others are not."""
    one, two, other = (load(lambda texts, word=word: [f"{word} {text}" for text in texts]) for word in ("so", "so", "thus"))
    assert one.hash == two.hash != other.hash


@pytest.mark.parametrize(
    ("rewrite", "found"),
    [
        (lambda texts: texts[:3], "returned 3 texts"),
        (lambda texts: texts[0], "returned str"),
        (lambda texts: [1 for _ in texts], "returned a list with int"),
        (lambda texts: len(texts) / 0, "failed: ZeroDivisionError"),
        (lambda: [""], "takes 0|too many positional"),
    ],
)
def test_each_way_to_fail_has_one_sentence(load: Callable[..., Dataset], rewrite: Rewrite, found: str) -> None:
    """Under the key."""
    with pytest.raises(InputError) as error:
        load(rewrite)
    (problem,) = error.value.problems
    assert problem.path == "data.rewrite"
    assert re.search(found, problem.found)


def test_only_texts_can_be_rewritten(load: Callable[..., Dataset]) -> None:
    """Rows of numbers have no other words."""
    with pytest.raises(InputError, match="and the rows are no texts"):
        load(list, source="digits", params={})
