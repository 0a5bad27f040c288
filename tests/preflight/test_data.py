"""Each way in which data can be broken, made for real, and the row that tells it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweeper.config.schema import Data
from sweeper.data.dataset import Dataset, Part
from sweeper.data.prepare import prepare
from sweeper.preflight.alignment import alignment
from sweeper.preflight.data import data_findings
from sweeper.preflight.finding import Finding, Status, listed, worst

from .conftest import blobs, dataset


def found(data: Dataset) -> dict[str, Finding]:
    """The rows by check."""
    return {one.check: one for one in data_findings(data)}


@pytest.mark.parametrize("source", ["digits", "wine", "breast_cancer", "diabetes", "synthetic_series", "synthetic_text"])
def test_sound_data_pass(source: str) -> None:
    """What ships with the package has nothing to warn of, and each row says what was measured."""
    data = prepare(Data(source=source), "regression" if source == "diabetes" else "classification")
    rows = list(data_findings(data))
    assert [one for one in rows if one.status is not Status.PASS] == []
    assert all(one.sentence for one in rows)
    assert f"{len(data.train)} train" in rows[0].sentence


def test_inputs_that_are_not_normalised() -> None:
    """A column of thousands warns with its name, mean and deviation, and the key that scales it; pixels from 0 to 1 do not."""
    x, y = blobs()
    raw = x.copy()
    raw[:, 2] = 5000 + 900 * raw[:, 2]
    row = found(dataset(raw, y))["normalised inputs"]
    assert row.status is Status.WARN
    assert "feature 2 (mean 5" in row.sentence
    assert (row.key, row.remedy) == ("data.scale", "data.scale: standard")
    assert found(dataset(np.clip(x / 6 + 0.5, 0, 1), y))["normalised inputs"].status is Status.PASS


def test_a_rare_indicator_is_normal() -> None:
    """A column of zeros with a single one has a tiny deviation, which no scaling needs to mend."""
    x, y = blobs(600)
    x[:, 0] = 0
    x[7, 0] = 1
    assert found(dataset(x, y))["normalised inputs"].status is Status.PASS


def test_constant_features(tmp_path: Path) -> None:
    """A column that never changes in training is named as in the file; data in which nothing changes fail."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.normal(size=90), "site": 4.0, "kind": "a", "y": np.arange(90) % 2})
    table.to_csv(tmp_path / "t.csv", index=False)
    row = found(prepare(Data(source=str(tmp_path / "t.csv"), target="y"), "classification"))["constant features"]
    assert row.status is Status.WARN
    assert "2 of 3" in row.sentence
    assert "site" in row.sentence
    assert "kind=a" in row.sentence
    x, y = blobs()
    assert found(dataset(np.zeros_like(x), y))["constant features"].status is Status.FAIL


def test_what_columns_were_taken_for(tmp_path: Path) -> None:
    """Kinds by name; a typo among numbers warns with the cell that made categories of them."""
    table = pd.DataFrame({"age": range(60), "plan": ["a", "b"] * 30, "day": ["2024-03-31"] * 60, "y": np.arange(60) % 3})
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    row = found(prepare(Data(source=str(path), target="y"), "classification"))["columns"]
    assert (row.status, row.sentence) == (Status.PASS, "numbers: age; categories: plan (2); dates: day")
    table.assign(age=["n/v", *(row % 9 for row in range(59))]).to_csv(path, index=False)
    row = found(prepare(Data(source=str(path), target="y"), "classification"))["columns"]
    assert (row.status, row.key) == (Status.WARN, "data.source")
    assert row.sentence == "column 'age' is taken for categories: most are numbers, but not 'n/v'"


def test_a_border_of_pixels_is_no_constant_feature(digits: Dataset) -> None:
    """The corners of digits are always empty; an image's feature is its channel."""
    assert (digits.train.x[:, 0, 0, 0] == digits.train.x[0, 0, 0, 0]).all()
    assert found(digits)["constant features"].status is Status.PASS


@pytest.mark.parametrize("wrong", [-1, 3])
def test_labels_out_of_range(wrong: int) -> None:
    """A class that the outputs do not have fails with its value and place."""
    x, y = blobs()
    y[190] = wrong
    row = found(dataset(x, y, outputs=3))["labels"]
    assert row.status is Status.FAIL
    assert f"labels of val are out of range: {wrong} in row 10" in row.sentence


def test_missing_classes() -> None:
    """A class that training lacks fails; one that only validation lacks warns, by name."""
    x, y = blobs()
    assert found(dataset(x, y, outputs=4))["labels"].status is Status.FAIL
    data = dataset(x, y)
    kept = data.val.y != 1
    row = found(replace(data, val=Part(data.val.x[kept], data.val.y[kept])))["labels"]
    assert row.status is Status.WARN
    assert "val has no class 1" in row.sentence


def test_imbalance() -> None:
    """A class with a twentieth of the rows of another warns and offers a metric that sees it."""
    x, y = blobs(600, classes=2)
    y[:] = np.arange(600) % 20 == 0
    row = found(dataset(x, y))["label balance"]
    assert row.status is Status.WARN
    assert "val_f1_macro" in row.remedy


def test_a_leaked_split(tmp_path: Path) -> None:
    """Rows that were written twice fall into train and validation: a fail with the share, and the way out of it."""
    x, y = blobs(150)
    table = pd.DataFrame(x).assign(y=y)
    pd.concat([table, table]).to_csv(tmp_path / "twice.csv", index=False)
    row = found(prepare(Data(source=str(tmp_path / "twice.csv"), target="y"), "classification"))["split"]
    assert row.status is Status.FAIL
    share = float(row.sentence.split("%")[0])
    assert 40 < share < 80
    assert "split: {by: group" in row.remedy


def test_a_few_repeated_rows() -> None:
    """A twentieth of validation warns; less than a hundredth is only told."""
    x, y = blobs(1000)
    data = dataset(x, y)
    data.val.x[:10] = data.train.x[:10]
    assert found(data)["split"].status is Status.WARN
    data.val.x[1:10] += 1
    assert (found(data)["split"].status, found(data)["split"].sentence[:4]) == (Status.PASS, "0.5%")


def test_rows_of_few_values_may_repeat() -> None:
    """Three yes-or-no columns have eight rows only, so that all of validation stands in train; that is no leak."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (300, 3)).astype(np.float32)
    row = found(dataset(x, (x.sum(1) > 1).astype(np.int64)))["split"]
    assert row.status is Status.PASS
    assert "100.0% of validation" in row.sentence


def test_broken_arrays() -> None:
    """NaN, a wrong type and targets of another length fail, and nothing further is said."""
    x, y = blobs()
    holes = x.copy()
    holes[200, 1] = np.nan
    for data, told in (
        (dataset(holes, y), "1 rows of val hold NaN"),
        (dataset(x.astype(np.float64), y), "float64"),
        (replace(dataset(x, y), test=Part(x[:9], y[:8])), "9 rows of inputs and 8 targets"),
    ):
        (row,) = data_findings(data)
        assert row.status is Status.FAIL
        assert told in row.sentence


def test_regression_targets() -> None:
    """A constant target fails; one far value that rules the squared error warns."""
    x, _ = blobs()
    assert found(dataset(x, np.ones(300, np.float32), "regression"))["target"].status is Status.FAIL
    y = np.random.default_rng(0).normal(size=300).astype(np.float32)
    assert found(dataset(x, y, "regression"))["target"].status is Status.PASS
    y[5] = 300
    assert found(dataset(x, y, "regression"))["target"].status is Status.WARN


def test_many_labels() -> None:
    """Values other than 0 and 1 fail; a label that is never set warns by its name."""
    x, y = blobs()
    many = np.equal(y[:, None], np.arange(3)).astype(np.float32)
    assert found(dataset(x, many, "multilabel"))["labels"].status is Status.PASS
    assert found(dataset(x, many * 2, "multilabel"))["labels"].status is Status.FAIL
    many[:, 1] = 0
    row = found(dataset(x, many, "multilabel"))["labels"]
    assert (row.status, "class 1" in row.sentence) == (Status.WARN, True)


def test_few_validation_rows() -> None:
    """With twenty rows, one row is five points of accuracy."""
    row = found(dataset(*blobs(100)))["validation rows"]
    assert row.status is Status.WARN
    assert "5 points" in row.sentence


@pytest.mark.parametrize("task", ["classification", "regression", "multilabel"])
def test_shuffled_labels(task: str) -> None:
    """Where labels fit, cheap models beat chance; after a shuffle they do not, and that warns. For every task."""
    x, classes = blobs(500)
    y = {
        "classification": classes,
        "regression": (x[:, 0] * x[:, 1]).astype(np.float32),  # trees see it, a linear model does not
        "multilabel": np.equal(classes[:, None], np.arange(3)).astype(np.float32),
    }[task]
    assert alignment(dataset(x, y, task)).status is Status.PASS
    shuffled = y[np.random.default_rng(1).permutation(500)]
    row = alignment(dataset(x, shuffled, task))
    assert row.status is Status.WARN
    assert "no better than chance on 100 validation rows" in row.sentence


def test_shuffled_labels_of_rare_classes() -> None:
    """Accuracy would be 97% either way; the covariance is not deceived."""
    x, _ = blobs(900)
    y = (x[:, 0] > 1.8).astype(np.int64)
    assert alignment(dataset(x, y)).status is Status.PASS
    assert alignment(dataset(x, y[np.random.default_rng(0).permutation(900)])).status is Status.WARN


def test_shuffled_texts() -> None:
    """Token rows are counted as bags of words."""
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    x = rng.integers(2, 40, (400, 12))
    x[:, 5] = np.where(y == 1, 50, 51)
    x[:, 9:] = 0
    assert alignment(dataset(x, y, tokens=60)).status is Status.PASS
    assert alignment(dataset(x, rng.permutation(y), tokens=60)).status is Status.WARN


def test_the_worst_of_all_counts() -> None:
    """A fail outweighs warnings, which outweigh passes; nothing is a pass."""
    one = {status: Finding("a", status, "b") for status in Status}
    assert worst([]) is Status.PASS
    assert worst([one[Status.PASS], one[Status.WARN]]) is Status.WARN
    assert worst(one.values()) is Status.FAIL
    assert listed("abcdefg", 3) == "a, b, c and 4 more"
