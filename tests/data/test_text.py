"""Texts as token numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweeper.config.schema import Data, Tokens
from sweeper.data.prepare import prepare
from sweeper.data.preprocess import Preprocessing
from sweeper.data.text import PADDING, UNKNOWN, TextInputs, fit_text
from sweeper.errors import InputError

TEXTS = ["The cat sat.", "The dog sat!", "A cat, a dog."]


def table(tmp_path: Path, **columns: object) -> Data:
    """Sixty remarks with an id and a label, in order of time."""
    remarks = [f"remark {number % 7} about topic{number % 3} number{number}" for number in range(60)]
    content = {"id": range(60), "when": range(60), "remark": remarks, "label": ["a", "b", "c"] * 20, **columns}
    path = tmp_path / "t.csv"
    pd.DataFrame(content).to_csv(path, index=False)
    return Data.model_validate(
        {"source": str(path), "target": "label", "text": "remark", "drop": ["id"], "split": {"by": "time", "column": "when"}}
    )


def test_words_and_punctuation_by_frequency() -> None:
    """The commonest token has number 2, equally common ones are in alphabetical order; what is new is 1, and 0 fills up."""
    inputs = fit_text(TEXTS, "remark", Tokens())
    assert inputs.vocabulary == (".", "a", "cat", "dog", "sat", "the", "!", ",")
    assert inputs.tokens == 10
    assert inputs.length == 6
    assert inputs.transform(["THE cat flew", "", "a a a a a a a a"], "data").tolist() == [
        [7, 4, UNKNOWN, PADDING, PADDING, PADDING],
        [UNKNOWN, PADDING, PADDING, PADDING, PADDING, PADDING],
        [3, 3, 3, 3, 3, 3],
    ]


def test_the_vocabulary_and_the_length_have_bounds() -> None:
    """Rarer tokens are unknown, and later ones cut off."""
    inputs = fit_text(TEXTS, "remark", Tokens(vocabulary=5, length=3))
    assert (inputs.vocabulary, inputs.tokens, inputs.length) == ((".", "a", "cat"), 5, 3)
    assert inputs.transform(["the cat sat."], "data").tolist() == [[UNKNOWN, 4, UNKNOWN]]


def test_characters_are_taken_as_they_are() -> None:
    """Capitals and blanks are characters of their own."""
    inputs = fit_text(["aA a"], "remark", Tokens(level="char"))
    assert inputs.vocabulary == ("a", " ", "A")
    assert inputs.transform(["A b"], "data").tolist() == [[4, 3, UNKNOWN, PADDING]]


def test_the_vocabulary_is_that_of_the_training_part(tmp_path: Path) -> None:
    """Words of later rows are unknown there; the other columns are no inputs; the summary tells what was done."""
    data = prepare(table(tmp_path), "classification")
    assert data.tokens == data.preprocessing.tokens == 2 + 2 + 7 + 3 + 36
    assert data.input_shape == (5,) == tuple(data.summary["input_shape"])
    assert data.train.x.dtype == np.int64
    assert data.train.x.max() < data.tokens
    assert not (data.train.x == UNKNOWN).any()
    assert ((data.test.x == UNKNOWN).sum(1) == 1).all()
    assert data.summary["dropped"] == {"id": "data.drop", "when": "the split's time column"}
    assert data.summary["columns"] == {"remark": "text"}
    assert data.summary["text"] == {
        "column": "remark", "level": "word", "tokens": 50, "length": 5, "rows_cut": 0, "rows_empty": 0, "unknown_share": 0.08,
    }  # fmt: skip
    assert "constant" not in data.summary
    json.dumps(data.summary)


def test_rows_that_are_cut_or_empty_are_counted(tmp_path: Path) -> None:
    """A gap is an empty text."""
    section = table(tmp_path, remark=["one", None, "one two three four"] * 20)
    data = prepare(section.model_copy(update={"tokens": Tokens(length=2)}), "classification")
    assert (data.summary["text"]["rows_cut"], data.summary["text"]["rows_empty"]) == (20, 20)
    assert data.input_shape == (2,)


def test_production_takes_raw_texts(tmp_path: Path) -> None:
    """A list, an array, a column or a table give the same rows, also after JSON."""
    data = prepare(table(tmp_path), "classification")
    again = Preprocessing.from_json(json.loads(json.dumps(data.preprocessing.to_json())))
    assert again == data.preprocessing
    assert isinstance(again.inputs, TextInputs)
    texts = pd.read_csv(tmp_path / "t.csv")["remark"].tail(12)
    for raw in (texts.tolist(), texts.to_numpy(), texts, pd.DataFrame({"other": 1, "remark": texts}), texts.to_numpy()[:, None]):
        assert np.array_equal(again.transform(raw), data.test.x)
    assert again.transform([]).shape == (0, 5)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("one text", "one text"),
        ([1, 2], "1 in row 1"),
        (pd.DataFrame({"text": ["a"]}), "has no column 'remark'"),
        (np.full((3, 2), "a"), "an array of shape [3, 2]"),
    ],
)
def test_what_is_no_text_is_refused_in_production(raw: object, found: str) -> None:
    """In a sentence."""
    with pytest.raises(InputError) as caught:
        fit_text(TEXTS, "remark", Tokens()).transform(raw, "data")  # type: ignore[arg-type]
    assert found in caught.value.problems[0].found


@pytest.mark.parametrize(
    ("keys", "path", "found"),
    [
        ({"text": "remarks"}, "data.text", "has no column 'remarks'"),
        ({"text": "label"}, "data.text", "'label' is the target"),
        ({"text": "id", "drop": []}, "data.text", "column 'id' holds 0"),
        ({"text": "when", "split": {"by": "random"}}, "data.text", "column 'when' holds 0"),
    ],
)
def test_what_is_no_column_of_texts_is_refused(tmp_path: Path, keys: dict[str, object], path: str, found: str) -> None:
    """With its name and what it holds."""
    section = Data.model_validate({**table(tmp_path).model_dump(), **keys})
    with pytest.raises(InputError) as caught:
        prepare(section, "classification")
    assert caught.value.problems[0].path == path
    assert found in caught.value.problems[0].found


def test_arrays_have_no_column_of_texts() -> None:
    """Digits, for example."""
    with pytest.raises(InputError, match="arrays have no columns"):
        prepare(Data(text="remark"), "classification")
