"""What looks wrong in the data is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweeper.config.schema import Data
from sweeper.data.prepare import prepare
from sweeper.data.stream import row_hashes
from sweeper.data.summary import duplicates


def test_rows_that_stand_in_two_parts_are_counted(tmp_path: Path) -> None:
    """By their inputs, whatever their labels; clean data has none."""
    table = pd.DataFrame({"a": np.arange(60.0), "b": 1.5, "t": range(60), "y": [0, 1] * 30})
    table.loc[[36, 37, 48], "a"] = table.loc[[0, 1, 2], "a"].to_numpy()
    table.loc[[49], "a"] = table.loc[[40], "a"].to_numpy()
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    data = prepare(Data.model_validate({"source": str(path), "target": "y", "split": {"by": "time", "column": "t"}}), "classification")
    assert data.summary["duplicates"] == {"val in train": 2, "test in train": 1, "test in val": 1}
    assert prepare(Data(source="wine"), "classification").summary["duplicates"] == {"val in train": 0, "test in train": 0, "test in val": 0}


def test_rows_in_any_memory_order_are_compared_by_value() -> None:
    """A transposed array is the same rows."""
    x = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    parts = {"train": x, "val": np.asfortranarray(x), "test": x + 100}
    assert duplicates({part: row_hashes(rows) for part, rows in parts.items()}) == {"val in train": 3, "test in train": 0, "test in val": 0}


@pytest.mark.parametrize("categorical", ["onehot", "ordinal"])
def test_constant_features_are_named(tmp_path: Path, categorical: str) -> None:
    """Columns by name, numbers of an array by position."""
    path = tmp_path / "t.csv"
    pd.DataFrame({"a": range(40), "same": 7, "word": "yes", "plan": ["x", "y"] * 20, "y": [0, 1] * 20}).to_csv(path, index=False)
    data = prepare(Data.model_validate({"source": str(path), "target": "y", "categorical": categorical}), "classification")
    assert data.summary["constant"] == {"number": 2, "first": ["same", "word"]}
    digits = prepare(Data(), "classification").summary["constant"]
    assert digits["number"] >= 1
    assert digits["first"][0] == "0, 0, 0"
