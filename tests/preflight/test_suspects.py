"""Features that are valid and spoil a search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweeper.config.schema import Data
from sweeper.data.prepare import prepare
from sweeper.preflight.finding import Status
from sweeper.preflight.suspects import far_values, given_away

from .conftest import blobs, dataset


def test_a_few_far_values() -> None:
    """A code for a gap among numbers leaves no difference between the others; heavy tails and rare indicators are let be."""
    x, y = blobs(600)
    x[:, 1] = np.random.default_rng(0).lognormal(0.0, 1.0, 600)
    x[:, 2] = np.arange(600) % 97 == 0
    row = far_values(dataset(x, y))
    assert row is not None
    assert row.status is Status.PASS
    x[7, 0] = 1e7
    row = far_values(dataset(x, y))
    assert row is not None
    assert (row.status, row.key) == (Status.WARN, "data.source")
    assert row.sentence.startswith("a few far values rule the scale of feature 0 (half of the rows lie within ")


LABELS = np.array(["no", "yes", "so"])[np.random.default_rng(0).integers(0, 3, 150)]
COLUMNS = {
    "a copy": (LABELS, "onehot", True),
    "a copy as codes": (LABELS, "ordinal", True),
    "another order": (np.select([LABELS == "no", LABELS == "yes"], [7.0, 1.0], 3.5), "onehot", True),
    "a threshold": (np.select([LABELS == "no", LABELS == "yes"], [0.0, 5.0], 9.0) + np.random.default_rng(1).random(150), "onehot", True),
    "all but a few rows": (np.where(np.arange(150) % 10 == 0, "yes", LABELS), "onehot", False),
    "noise": (np.random.default_rng(2).random(150), "onehot", False),
    "an id by half": ([f"id {row % 75}" for row in range(150)], "onehot", False),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_a_column_that_gives_the_class_away(case: str, tmp_path: Path) -> None:
    """Copies, recodings and thresholds warn by the column's name; a few rows that differ, and noise, do not."""
    values, encoding, told = COLUMNS[case]
    pd.DataFrame({"a": np.arange(150) % 11, "late": values, "y": LABELS}).to_csv(tmp_path / "t.csv", index=False)
    data = prepare(Data.model_validate({"source": str(tmp_path / "t.csv"), "target": "y", "categorical": encoding}), "classification")
    row = given_away(data)
    assert row is not None
    assert row.status is (Status.WARN if told else Status.PASS)
    if told:
        assert row.sentence == "late alone tells the target of all 90 training rows"
        assert row.key == "data.drop"


def test_many_rows_are_judged_by_all_of_them() -> None:
    """What the first rows say rules a column out, and never in."""
    y = np.arange(3000) % 2
    x = np.column_stack([y, np.where(np.arange(3000) == 1500, 1, y)]).astype(np.float32)
    row = given_away(dataset(x, y.astype(np.int64)))
    assert row is not None
    assert row.sentence == "feature 0 alone tells the target of all 1800 training rows"


@pytest.mark.parametrize(("noise", "told"), [(0.0, True), (0.5, False)])
def test_a_column_that_gives_the_number_away(noise: float, told: bool) -> None:
    """The target in another unit, or its logarithm, has its order; what only correlates has not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3)).astype(np.float32)
    y = (np.exp(-x[:, 2]) + noise * rng.normal(size=100)).astype(np.float32)
    row = given_away(dataset(x, y, "regression"))
    assert row is not None
    assert row.status is (Status.WARN if told else Status.PASS)


def test_where_it_is_not_looked_for() -> None:
    """Few rows of a class are told apart by chance, and an image has no columns."""
    x, y = blobs(200)
    y[:] = 0
    y[[3, 40]] = 1
    assert given_away(dataset(x, y)) is None
    assert given_away(dataset(x.reshape(200, 1, 2, 3), y)) is None
