"""From a config's data section to three parts: built-in sets, files, and nothing of val or test in the preprocessing."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweeper.config.schema import Data
from sweeper.data.prepare import prepare
from sweeper.data.sources import content_hash
from sweeper.data.split import split_rows


def customers(number: int = 200, seed: int = 0) -> pd.DataFrame:
    """A table with an id, groups, dates, gaps, text, flags and odd names."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"C{row:05d}" for row in range(number)],
            "house.hold": rng.integers(0, 40, number),
            "joined on": (pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, number), unit="D")).strftime("%Y-%m-%d"),
            "Größe [m²]": np.where(rng.random(number) < 0.1, np.nan, rng.normal(80, 20, number).round(1)),
            "plan": rng.choice(["basic", "pro", None], number, p=[0.6, 0.3, 0.1]),
            "paperless": rng.choice([True, False, None], number, p=[0.5, 0.4, 0.1]),
            "churned": rng.choice(["yes", "no"], number),
        }
    )


def section(path: Path, **keys: object) -> Data:
    """A data section for that table."""
    return Data.model_validate({"source": str(path), "target": "churned", "drop": ["id"], **keys})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """That table as CSV."""
    path = tmp_path / "customers.csv"
    customers().to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("source", "task", "shape", "labels", "digest"),
    [
        ("digits", "classification", (1, 8, 8), tuple("0123456789"), "d8050388"),
        ("breast_cancer", "classification", (30,), ("benign", "malignant"), "e4492460"),
        ("wine", "classification", (13,), ("class_0", "class_1", "class_2"), "774afb30"),
        ("diabetes", "regression", (10,), (), "ad87a4fd"),
    ],
)
def test_built_in_sets(source: str, task: str, shape: tuple[int, ...], labels: tuple[str, ...], digest: str) -> None:
    """Types, shapes, labels and hash are as promised, and the training part is standardised."""
    data = prepare(Data(source=source), task)
    assert data.input_shape == shape
    assert data.labels == labels
    assert data.outputs == (len(labels) or 1)
    assert data.hash[:8] == digest
    for part in (data.train, data.val, data.test):
        assert part.x.dtype == np.float32
        assert part.y.dtype == (np.int64 if labels else np.float32)
        assert len(part) == len(part.x) > 0
    assert abs(data.train.x.mean()) < 1e-5
    assert abs(data.train.x.std() - 1) < 1e-5
    if not labels:
        assert abs(data.train.y.mean()) < 1e-6
        assert abs(data.train.y.std() - 1) < 1e-6
    json.dumps(data.summary)


def test_labels_stay_beside_their_inputs() -> None:
    """Every prepared row of digits is, with its label, a row of the original set."""
    from sklearn.datasets import load_digits

    data = prepare(Data(), "classification")
    known = {(image.astype(np.float32).tobytes(), int(label)) for image, label in zip(*load_digits(return_X_y=True), strict=True)}
    (offset,), (scale,) = data.preprocessing.inputs.offset, data.preprocessing.inputs.scale
    for part in (data.train, data.val, data.test):
        raw = np.rint(part.x.astype(np.float64) * scale + offset).astype(np.float32) + 0.0  # no -0.0
        assert all((image.reshape(-1).tobytes(), int(label)) in known for image, label in zip(raw, part.y, strict=True))


def test_preparing_twice_gives_the_same_bits() -> None:
    """Parts, hash and preprocessing depend on nothing but content and seed."""
    first = prepare(Data(source="wine", seed=3), "classification")
    second = prepare(Data(source="wine", seed=3), "classification")
    assert first.hash == second.hash
    assert first.preprocessing == second.preprocessing
    assert np.array_equal(first.train.x, second.train.x)
    assert not np.array_equal(first.train.x, prepare(Data(source="wine", seed=4), "classification").train.x)


def test_a_table_as_they_are(table: Path) -> None:
    """Text, gaps, ids, dates, flags and odd names become numbers; the summary tells what was done."""
    data = prepare(section(table), "classification")
    assert data.labels == ("no", "yes")
    assert data.input_shape == (7,)  # 4 numbers, 3 plans
    summary = data.summary
    assert summary["columns"] == {
        "house.hold": "number", "joined on": "datetime", "Größe [m²]": "number", "plan": "text", "paperless": "boolean",
    }  # fmt: skip
    assert summary["dropped"] == {"id": "data.drop"}
    raw = customers()
    assert summary["filled"] == {"Größe [m²]": int(raw["Größe [m²]"].isna().sum()), "paperless": int(raw["paperless"].isna().sum())}
    assert summary["rows"] == {"train": 120, "val": 40, "test": 40}
    assert sum(summary["classes"]["yes"].values()) == int((raw["churned"] == "yes").sum())
    assert data.hash == hashlib.sha256(table.read_bytes()).hexdigest()


def test_csv_and_parquet_agree(table: Path, tmp_path: Path) -> None:
    """The same table gives the same inputs from either format."""
    parquet = tmp_path / "customers.parquet"
    customers().astype({"joined on": "datetime64[s]"}).to_parquet(parquet, index=False)
    one, two = (prepare(section(path), "classification") for path in (table, parquet))
    assert np.array_equal(one.test.x, two.test.x)
    assert np.array_equal(one.train.y, two.train.y)


@pytest.mark.parametrize("split", [{}, {"by": "group", "column": "house.hold"}, {"by": "time", "column": "joined on"}])
def test_nothing_leaks_from_val_and_test(tmp_path: Path, split: dict[str, str]) -> None:
    """Changing the inputs of rows outside the training part changes no fitted number and no training input."""
    raw = customers()
    path, other = tmp_path / "a.csv", tmp_path / "b.csv"
    raw.to_csv(path, index=False)
    keys = {"split": split} if split else {}
    before = prepare(section(path, **keys), "classification")

    from sweeper.data.labels import encode

    read = pd.read_csv(path)
    column = read[split["column"]] if split else None
    rows = split_rows(section(path, **keys), encode(read["churned"], "classification", "a.csv"), column, source="s", file="a.csv")
    outside = np.concatenate([rows.val, rows.test])
    raw.loc[outside, "Größe [m²]"] = 1e6
    raw.loc[outside, "plan"] = "never seen in training"
    raw.loc[outside, "paperless"] = None
    raw.to_csv(other, index=False)
    after = prepare(section(other, **keys), "classification")
    assert after.preprocessing == before.preprocessing
    assert np.array_equal(after.train.x, before.train.x)
    assert not np.array_equal(after.test.x, before.test.x)


def test_the_regression_target_is_standardised_on_train_only(tmp_path: Path) -> None:
    """Mean and scale are those of the training rows, and lead back to the original unit."""
    rng = np.random.default_rng(0)
    path = tmp_path / "rent.csv"
    pd.DataFrame({"m²": rng.normal(size=50), "t": range(50), "rent": np.arange(50) * 10.0}).to_csv(path, index=False)
    data = prepare(Data.model_validate({"source": str(path), "target": "rent", "split": {"by": "time", "column": "t"}}), "regression")
    train = np.arange(30) * 10.0
    assert (data.target_mean, data.target_scale) == (train.mean(), train.std())
    np.testing.assert_allclose(data.preprocessing.decode(data.test.y), np.arange(40, 50) * 10.0, rtol=1e-6)
    assert data.input_shape == (1,)


def test_the_split_column_is_no_input(table: Path) -> None:
    """Group and time columns divide the rows and are not shown to models."""
    data = prepare(section(table, split={"by": "group", "column": "house.hold"}), "classification")
    assert "house.hold" not in data.preprocessing.columns
    assert data.summary["dropped"]["house.hold"] == "the split's group column"


def test_a_relative_file_is_found_from_here_and_beside_the_space(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder wins over the folder of the space file."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    beside = prepare(section(Path("customers.csv")), "classification", source=str(tmp_path / "space.yaml"))
    assert beside.summary["source"] == str(table)
    customers(seed=9).to_csv(elsewhere / "customers.csv", index=False)
    assert prepare(section(Path("customers.csv")), "classification", source=str(tmp_path / "space.yaml")).hash != beside.hash


def test_production_rows_meet_the_same_numbers(table: Path) -> None:
    """The preprocessing applied to the raw rows gives the prepared rows, whatever else the table holds."""
    data = prepare(section(table, split={"by": "time", "column": "joined on"}), "classification")
    newest = pd.read_csv(table).sort_values("joined on", kind="stable").tail(len(data.test)).drop(columns=["churned"])
    assert np.array_equal(data.preprocessing.transform(newest), data.test.x)


def test_the_hash_knows_types_and_shapes_but_no_byte_order() -> None:
    """Equal numbers hash alike on every machine; another shape or type is other content."""
    array = np.arange(6.0).reshape(2, 3)
    assert content_hash(array) == content_hash(array.astype(">f8"))
    assert len({content_hash(array), content_hash(array.reshape(3, 2)), content_hash(array.astype("f4")), content_hash(array[::-1])}) == 4


def test_importing_the_room_is_light() -> None:
    """scikit-learn, pandas and torch are loaded when data is prepared, not before."""
    code = "import sys, sweeper.data.prepare; print([name for name in ('sklearn', 'pandas', 'torch') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
