"""Readers: what pandas and NumPy do with real files, and where we differ on purpose."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweeper.config.schema import Data
from sweeper.data.columns import kind_of
from sweeper.data.files import read_csv, read_npz, read_parquet
from sweeper.data.labels import encode
from sweeper.data.prepare import prepare


def test_csv_types_are_those_of_pandas() -> None:
    """Leading zeros are numbers, integers with gaps floats, NA and None gaps, and a byte order mark is no part of a name."""
    table = read_csv("\ufeffcode,count,plan\n007,1,NA\n008,,None\n010,3,pro\n".encode(), "t.csv")
    assert list(table) == ["code", "count", "plan"]
    assert table["code"].tolist() == [7, 8, 10]
    assert table["count"].isna().tolist() == [False, True, False]
    assert table["plan"].isna().tolist() == [True, True, False]


def test_the_row_numbers_that_pandas_writes_are_left_out() -> None:
    """An unnamed first column counting from 0 is no input; any other unnamed column stays."""
    frame = pd.DataFrame({"a": [5, 6, 7], "y": [0, 1, 0]})
    assert list(read_csv(frame.to_csv().encode(), "t.csv")) == ["a", "y"]
    assert list(read_csv(b",a\n7,1\n9,2\n", "t.csv")) == ["Unnamed: 0", "a"]


def test_a_named_parquet_index_is_a_column() -> None:
    """What the file names can be a target or a time; an unnamed index is no content."""
    buffer = io.BytesIO()
    pd.DataFrame({"a": [1.0, 2.0]}, index=pd.Index([3, 4], name="day")).to_parquet(buffer)
    assert list(read_parquet(buffer.getvalue(), "t.parquet")) == ["day", "a"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "number"),
        ([1.5, None], "number"),
        ([True, None], "boolean"),
        (["2024-01-31", None], "datetime"),
        (["2024-01-31T10:00:00Z", "2024-02-01 10:00:00+01:00"], "datetime"),
        (["2024-02-31", "2024-01-01"], "text"),
        (["a", None], "text"),
        (["a", 1], "text"),
        ([None, None], "number"),
        ([b"a", b"b"], None),
        ([{"a": 1}], None),
        ([1 + 2j], None),
    ],
)
def test_kinds_of_columns(values: list[object], kind: str | None) -> None:
    """The kind follows from the values that are there."""
    assert kind_of(pd.Series(values, name="c", dtype=object)) == kind


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "string", "category", "datetime64[s]"])
def test_nullable_and_categorical_types_prepare(tmp_path: Path, dtype: str) -> None:
    """Every type that Parquet brings back becomes finite numbers."""
    plain = {"string": ["a", "b"], "category": ["a", "b"], "boolean": [True, False], "datetime64[s]": ["2020-01-01", "2021-01-01"]}
    values = pd.Series([*plain.get(dtype, [1, 2]), None] * 20, dtype=object).astype(dtype)
    path = tmp_path / "t.parquet"
    pd.DataFrame({"c": values, "y": [0, 1] * 30}).to_parquet(path)
    assert np.isfinite(prepare(Data(source=str(path), target="y"), "classification").train.x).all()


def test_decimals_are_numbers() -> None:
    """Money in Parquet is often decimal."""
    from decimal import Decimal

    assert kind_of(pd.Series([Decimal("1.5"), Decimal(2)], name="c")) == "number"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((30,), (30, 1)), ((30, 4), (30, 4)), ((30, 8, 3), (30, 8, 3)), ((30, 3, 8, 8), (30, 3, 8, 8)), ((30, 8, 8, 8), (30, 8, 8, 8))],
)
def test_npz_inputs_are_tables_series_or_images(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """By the number of their dimensions; a single feature becomes a column."""
    buffer = io.BytesIO()
    np.savez(buffer, x=np.ones(shape), y=np.arange(30), names=np.array(["a", "b"]))
    inputs, series, matrix = read_npz(buffer.getvalue(), "a.npz", "y")
    assert inputs.shape == expected
    assert list(series) == ["y"]
    assert matrix is None


def test_npz_prepares_with_its_own_names(tmp_path: Path) -> None:
    """The target and the group are arrays beside the inputs, which need no name when they are the only other array."""
    rng = np.random.default_rng(0)
    path = tmp_path / "a.npz"
    np.savez(path, x=rng.integers(0, 255, (60, 1, 8, 8), dtype=np.uint8), label=np.array(["cat", "dog"] * 30), owner=np.arange(60) // 3)
    keys = {"source": str(path), "target": "label", "split": {"by": "group", "column": "owner"}}
    data = prepare(Data.model_validate(keys), "classification")
    assert data.input_shape == (1, 8, 8)
    assert data.labels == ("cat", "dog")
    assert data.preprocessing.decode(np.array([1])).tolist() == ["dog"]
    np.savez(tmp_path / "b.npz", features=rng.normal(size=(30, 2)), y=rng.normal(size=(30, 1)))
    assert prepare(Data(source=str(tmp_path / "b.npz")), "regression").input_shape == (2,)


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (["b", "a", "b"], ("a", "b")),
        ([10, 9, 10], (9, 10)),
        ([1.0, 2.0, 1.0], (1, 2)),
        ([0.5, 1.5, 0.5], (0.5, 1.5)),
        ([True, False, True], (False, True)),
        (["10", "9", "10"], ("10", "9")),
    ],
)
def test_classes_are_numbered_in_sorted_order(raw: list[object], values: tuple[object, ...]) -> None:
    """Numbers sort as numbers, text as text, and whole floats are integers."""
    labels = encode(pd.Series(raw, name="y"), "classification", "t.csv")
    assert labels.values == values
    assert [type(value) for value in labels.values] == [type(value) for value in values]
    assert [labels.values[index] for index in labels.y] == raw
