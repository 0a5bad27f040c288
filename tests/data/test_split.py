"""Splits: disjoint, complete, of the promised sizes, and the same for the same seed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.config.schema import Data, Split
from sweeper.data.labels import Labels
from sweeper.data.split import Rows, split_rows
from sweeper.errors import InputError

FRACTIONS = st.sampled_from([0.1, 0.15, 0.2, 0.25, 0.3])


def classes(y: np.ndarray) -> Labels:
    """Encoded labels."""
    return Labels(y.astype(np.int64), tuple(f"label {k}" for k in range(int(y.max()) + 1)))


def divided(data: Data, labels: Labels, column: pd.Series | None = None) -> Rows:
    """The split of these labels."""
    return split_rows(data, labels, column, source="space.yaml", file="table.csv")


def assert_partition(rows: Rows, number: int) -> None:
    """Every row is in exactly one part, and no part is empty."""
    every = np.concatenate([rows.train, rows.val, rows.test])
    assert np.array_equal(np.sort(every), np.arange(number))
    assert min(len(rows.train), len(rows.val), len(rows.test)) > 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(10, 60), min_size=2, max_size=6), FRACTIONS, FRACTIONS, st.integers(0, 2**32 - 1))
def test_a_random_split_is_a_stratified_partition(sizes: list[int], val: float, test: float, seed: int) -> None:
    """Parts are disjoint, cover everything, have the rounded sizes, and each class has its share within one row."""
    labels = classes(np.repeat(np.arange(len(sizes)), sizes))
    number = len(labels.y)
    rows = divided(Data(val_fraction=val, test_fraction=test, seed=seed), labels)
    assert_partition(rows, number)
    assert (len(rows.val), len(rows.test)) == (round(number * val), round(number * test))
    test_counts = np.bincount(labels.y[rows.test], minlength=len(sizes))
    assert np.all(np.abs(test_counts - len(rows.test) / number * np.array(sizes)) < 1)
    left = np.array(sizes) - test_counts
    val_counts = np.bincount(labels.y[rows.val], minlength=len(sizes))
    assert np.all(np.abs(val_counts - len(rows.val) / left.sum() * left) < 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(5, 200), FRACTIONS, FRACTIONS, st.integers(0, 1000))
def test_a_regression_split_is_a_partition(number: int, val: float, test: float, seed: int) -> None:
    """Without classes the parts still have the rounded sizes; a part without rows is refused, never returned."""
    data = Data(val_fraction=val, test_fraction=test, seed=seed)
    labels = Labels(np.arange(number, dtype=np.float64), ())
    if min(round(number * val), round(number * test)) == 0:
        with pytest.raises(InputError, match="gets none of"):
            divided(data, labels)
        return
    rows = divided(data, labels)
    assert_partition(rows, number)
    assert (len(rows.val), len(rows.test)) == (round(number * val), round(number * test))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=10, max_size=40), st.integers(0, 1000))
def test_no_group_straddles_two_parts(sizes: list[int], seed: int) -> None:
    """Every group is in exactly one part."""
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    column = pd.Series([f"customer {group}" for group in groups], name="customer")
    data = Data(seed=seed, split=Split(by="group", column="customer"))
    rows = divided(data, Labels(np.arange(len(groups), dtype=np.float64), ()), column)
    assert_partition(rows, len(groups))
    train, val, test = (set(groups[part]) for part in (rows.train, rows.val, rows.test))
    assert len(train | val | test) == len(train) + len(val) + len(test)
    assert (len(val), len(test)) == (round(len(sizes) * 0.2), round(len(sizes) * 0.2))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=10, max_size=80))
def test_a_time_split_puts_the_newest_rows_into_test(days: list[int]) -> None:
    """No training row is newer than a validation row, no validation row newer than a test row."""
    column = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"), name="day")
    rows = divided(Data(split=Split(by="time", column="day")), Labels(np.arange(len(days), dtype=np.float64), ()), column)
    assert_partition(rows, len(days))
    assert column[rows.train].max() <= column[rows.val].min()
    assert column[rows.val].max() <= column[rows.test].min()


@pytest.mark.parametrize("times", [["2024-01-02", "2023-12-31", "2024-01-01T06:00:00"], [2024.5, 2023.0, 2024.0]])
def test_times_may_be_iso_text_or_numbers(times: list[object]) -> None:
    """Text dates are sorted as dates, numbers as numbers."""
    data = Data(val_fraction=0.34, test_fraction=0.34, split=Split(by="time", column="t"))
    rows = divided(data, Labels(np.arange(3.0), ()), pd.Series(times, name="t"))
    assert [rows.train.tolist(), rows.val.tolist(), rows.test.tolist()] == [[1], [2], [0]]


def test_the_seed_alone_fixes_the_split() -> None:
    """The same seed gives the same rows, another seed others, and the test part does not depend on the validation share."""
    labels = classes(np.arange(300) % 3)
    first, again, other = (divided(Data(seed=seed), labels) for seed in (1, 1, 2))
    assert np.array_equal(first.train, again.train)
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)
    assert np.array_equal(first.test, divided(Data(seed=1, val_fraction=0.1), labels).test)


def test_a_class_without_a_training_row_is_refused() -> None:
    """A label that appears only among the newest rows is named."""
    labels = classes(np.array([0, 1] * 40 + [2] * 10))
    with pytest.raises(InputError, match="no training row has the label 'label 2'"):
        divided(Data(split=Split(by="time", column="t")), labels, pd.Series(np.arange(90), name="t"))


def test_a_class_that_the_test_part_used_up_is_refused() -> None:
    """A label with one row left cannot be divided between train and val."""
    labels = classes(np.array([0] * 20 + [1] * 20 + [2] * 3))
    with pytest.raises(InputError, match="fewer than 2 rows with the label 'label 2'"):
        divided(Data(val_fraction=0.2, test_fraction=0.6), labels)


@pytest.mark.parametrize(
    ("by", "values", "sentence"),
    [
        ("group", ["a", "b"] * 20, "holds 2 groups"),
        ("group", ["a", None] * 20, "has 20 gaps, the first in row 2"),
        ("time", ["spring", "autumn"] * 20, "holds text, such as 'spring'"),
        ("time", [1.0, None] * 20, "has 20 gaps"),
    ],
)
def test_a_column_that_cannot_divide_is_refused(by: str, values: list[object], sentence: str) -> None:
    """Gaps, too few groups and times that cannot be sorted are told with the column's name."""
    data = Data.model_validate({"split": {"by": by, "column": "c"}})
    with pytest.raises(InputError, match=sentence) as caught:
        divided(data, Labels(np.arange(40.0), ()), pd.Series(values, name="c"))
    assert caught.value.problems[0].source == "table.csv"
    assert caught.value.problems[0].path == "data.split.column"


def test_parts_too_small_for_the_classes_are_refused() -> None:
    """Both fractions at fault are told at once."""
    labels = classes(np.arange(60) % 20)
    with pytest.raises(InputError) as caught:
        divided(Data(val_fraction=0.1, test_fraction=0.1), labels)
    assert [problem.path for problem in caught.value.problems] == ["data.test_fraction", "data.val_fraction"]
