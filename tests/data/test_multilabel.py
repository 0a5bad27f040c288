"""Targets of several labels per row: from a table, from arrays, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweeper.config.schema import Data
from sweeper.data.prepare import prepare
from sweeper.data.preprocess import Preprocessing
from sweeper.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = (X[:, :3] + 0.3 * RNG.normal(size=(60, 3)) > 0.2).astype(int)


def test_several_columns_of_a_table(tmp_path: Path) -> None:
    """Numbers, and true and false; the labels keep the columns' names and order, and are no inputs."""
    path = tmp_path / "t.csv"
    pd.DataFrame(X, columns=list("abcd")).assign(red=Y[:, 0], green=Y[:, 1].astype(bool), blue=Y[:, 2]).to_csv(path, index=False)
    data = prepare(Data(source=str(path), target=["blue", "green"]), "multilabel")
    assert data.task == "multilabel"
    assert data.outputs == 2
    assert data.labels == ("blue", "green")
    assert data.preprocessing.columns == ("a", "b", "c", "d", "red")
    assert data.train.y.dtype == np.float32
    assert data.train.y.shape == (36, 2)
    assert sum(data.summary["labels"]["green"].values()) == Y[:, 1].sum()
    assert data.summary["target"] == "blue, green"


@pytest.mark.parametrize("target", [None, "tags"])
def test_a_matrix_beside_the_inputs(tmp_path: Path, target: str | None) -> None:
    """The rows of an npz keep their labels through the split."""
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(60.0)[:, None], **{target or "y": Y})
    data = prepare(Data.model_validate({"source": str(path), "target": target, "scale": "none"}), "multilabel")
    for part in (data.train, data.val, data.test):
        assert np.array_equal(part.y, Y[part.x[:, 0].astype(int)])


def test_outputs_become_labels_and_survive_json(tmp_path: Path) -> None:
    """A logit above 0 is a 1; the names come back from JSON, and older files, which have none, are read."""
    path = tmp_path / "a.npz"
    np.savez(path, x=X, y=Y)
    preprocessing = prepare(Data(source=str(path)), "multilabel").preprocessing
    again = Preprocessing.from_json(preprocessing.to_json())
    assert again == preprocessing
    assert again.target.labels == ("0", "1", "2")
    assert again.decode(np.array([[0.1, -3.0, 0.0]])).tolist() == [[1, 0, 0]]
    tree: dict[str, Any] = preprocessing.to_json()
    del tree["target"]["labels"]
    assert Preprocessing.from_json(tree).target.labels == ()


@pytest.mark.parametrize(
    ("y", "found"),
    [
        (Y * 2, "label '0' holds '2' in row"),
        (np.where(Y == 1, np.nan, 0), "label '0' has"),
        (np.column_stack([Y[:, 0], np.ones(60)]), "label '1' is 1 in every row"),
        (Y.astype(str), "label '0' holds '"),
    ],
)
def test_what_is_no_label_is_refused(tmp_path: Path, y: np.ndarray, found: str) -> None:
    """Each label that is at fault is named."""
    path = tmp_path / "a.npz"
    np.savez(path, x=X, y=y)
    with pytest.raises(InputError) as caught:
        prepare(Data(source=str(path)), "multilabel")
    assert found in caught.value.problems[0].found


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """With the nearest one."""
    path = tmp_path / "t.csv"
    pd.DataFrame({"a": range(40), "red": [0, 1] * 20, "blue": [1, 0] * 20}).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"no column 'bleu'.*did you mean .blue."):
        prepare(Data(source=str(path), target=["red", "bleu"]), "multilabel")
