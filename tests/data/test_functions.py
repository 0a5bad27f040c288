"""Data that a function gives: a user's own by dotted path, and the synthetic sets."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweeper.config.schema import Data
from sweeper.data.dataset import Dataset
from sweeper.data.prepare import prepare
from sweeper.data.synthetic import series, text
from sweeper.errors import InputError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 4)), np.arange(60) % 3


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Dataset]]:
    """Prepares what a function returns, with the keys of a data section beside it."""
    import types

    module = types.ModuleType("a_users_module")
    monkeypatch.setitem(sys.modules, "a_users_module", module)
    path = list(sys.path)

    def prepared(result: Any, task: str = "classification", **keys: Any) -> Dataset:
        module.load = result if callable(result) else lambda: result  # type: ignore[attr-defined]
        return prepare(Data.model_validate({"source": "a_users_module:load", **keys}), task, source="space.yaml")

    yield prepared
    sys.path[:] = path


def test_a_users_function_beside_the_space_gives_the_data(tmp_path: Path) -> None:
    """It is called with the parameters of the config; the same content has the same hash, other content another."""
    (tmp_path / "my_data_one.py").write_text(
        "import numpy as np\n\ndef load(rows, shift=0.0):\n    return np.arange(rows * 2.0).reshape(rows, 2) + shift, np.arange(rows) % 2\n"
    )
    path = list(sys.path)
    try:
        one, two, other = (
            prepare(Data(source="my_data_one:load", params=params), "classification", source=str(tmp_path / "space.yaml"))
            for params in ({"rows": 40}, {"rows": 40}, {"rows": 40, "shift": 1.0})
        )
    finally:
        sys.path[:] = path
        del sys.modules["my_data_one"]
    again = pickle.loads(pickle.dumps(one))  # noqa: S301 - as it travels to a worker, which does not have the module
    assert np.array_equal(
        again.preprocessing.transform(np.arange(80.0).reshape(40, 2))[:3], one.preprocessing.transform([[0, 1], [2, 3], [4, 5]])
    )
    assert one.input_shape == (2,)
    assert one.summary["rows"] == {"train": 24, "val": 8, "test": 8}
    assert one.summary["source"] == "my_data_one:load"
    assert one.hash == two.hash != other.hash


def test_given_parts_are_respected(load: Callable[..., Dataset]) -> None:
    """Each part holds its own rows in their order; the preprocessing knows the training part alone."""
    data = load({"test": (X[50:] + 9, Y[50:]), "train": (X[:40], Y[:40]), "val": (X[40:50], Y[40:50])})
    assert data.summary["rows"] == {"train": 40, "val": 10, "test": 10}
    assert np.array_equal(data.val.y, Y[40:50])
    np.testing.assert_allclose(data.train.x, (X[:40] - X[:40].mean(0)) / X[:40].std(0), rtol=1e-5)
    np.testing.assert_allclose(data.test.x, (X[50:] + 9 - X[:40].mean(0)) / X[:40].std(0), rtol=1e-4)


@pytest.mark.parametrize(("part", "rows"), [("val", {"train": 30, "val": 10, "test": 20}), ("test", {"train": 30, "val": 20, "test": 10})])
def test_a_missing_part_is_cut_from_train(load: Callable[..., Dataset], part: str, rows: dict[str, int]) -> None:
    """Its fraction is of the training rows; it is stratified, and the given part stays as it is."""
    given = "test" if part == "val" else "val"
    data = load({"train": (X[:40], Y[:40]), given: (X[40:], Y[40:])}, val_fraction=0.25, test_fraction=0.25)
    assert data.summary["rows"] == rows
    assert np.array_equal(getattr(data, given).y, Y[40:])
    assert set(np.bincount(getattr(data, part).y)) == {3, 4}


def test_a_table_is_treated_like_a_file(load: Callable[..., Dataset]) -> None:
    """Text becomes numbers, gaps are filled, columns can be dropped or divide the rows."""
    table = pd.DataFrame({"id": range(60), "plan": ["a", "b", None] * 20, "size": [1.0, np.nan, 3.0] * 20, "house": np.arange(60) // 3})
    data = load((table, ["yes", "no"] * 30), drop=["id"], split={"by": "group", "column": "house"})
    assert data.input_shape == (4,)
    assert data.labels == ("no", "yes")
    assert data.summary["dropped"] == {"id": "data.drop", "house": "the split's group column"}


def test_series_are_standardised_per_feature_over_rows_and_time(load: Callable[..., Dataset]) -> None:
    """Each feature of the training part has mean 0 and deviation 1 over all its points; new rows meet the same numbers."""
    raw = RNG.normal(size=(60, 12, 3)) * (1.0, 10.0, 100.0) + (0.0, 5.0, -7.0)
    data = load((raw, Y))
    assert data.input_shape == (12, 3)
    np.testing.assert_allclose(data.train.x.mean((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(data.train.x.std((0, 1)), 1, atol=1e-5)
    assert len(data.preprocessing.inputs.offset) == 3
    assert np.array_equal(data.preprocessing.transform(raw.reshape(60, -1)), data.preprocessing.transform(raw))


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (X, "the function returned ndarray"),
        ((X, Y, Y), "the function returned tuple"),
        ({"val": (X, Y)}, "the function returned a dict of 'val'"),
        ({"train": (X, Y), "valid": (X, Y)}, "the function returned a dict of 'train', 'valid'"),
        ((X, Y[:9]), "x has 60 rows, y has 9"),
        (({"a": 1}, Y), "x has the shape []"),
        (([[1, 2], [3]], [0, 1]), "x is no array"),
        ((X.astype(str), Y), "the inputs are of type <U"),
        ((X[:, None, None, None], Y), "x has the shape [60, 1, 1, 1, 4]"),
        ((X, np.ones((60, 2, 2))), "y has the shape [60, 2, 2]"),
        ((X, np.eye(3)[Y]), "the target has the shape [60, 3]"),
        (
            (np.where(np.arange(240).reshape(60, 4) == 219, np.nan, X), Y),
            "1 rows of the inputs hold NaN or infinite values, the first is row 55",
        ),
        ({"train": (X, Y), "test": (X[:, :3], Y)}, "rows of test are [3], those of train are [4]"),
        ({"train": (X[:4], Y[:4]), "test": (X, Y)}, "a val part of 1 out of 4 rows with 3 labels"),
        ((pd.DataFrame(X), pd.Series(Y, name="0")), "both called '0'"),
        (lambda: 1 / 0, "failed: ZeroDivisionError: division by zero"),
        (lambda rows: rows, "missing a required argument: 'rows'"),
    ],
)
def test_what_a_function_may_not_return_is_told(load: Callable[..., Dataset], result: Any, found: str) -> None:
    """One sentence each."""
    with pytest.raises(InputError) as caught:
        load(result)
    (problem,) = caught.value.problems
    assert found in problem.found


def test_what_is_no_function_is_told(load: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    """A number, for example."""
    with pytest.raises(InputError, match="os:curdir is str"):
        prepare(Data(source="os:curdir"), "classification")


def test_given_parts_are_not_divided_by_group(load: Callable[..., Dataset]) -> None:
    """One or the other."""
    table = pd.DataFrame({"a": range(40), "house": np.arange(40) // 2})
    with pytest.raises(InputError, match="divides its rows itself into train, test"):
        load({"train": (table, Y[:40]), "test": (table, Y[:40])}, split={"by": "group", "column": "house"})


def test_synthetic_sets_are_the_same_everywhere() -> None:
    """Their first rows are known; their parameters change them, and wrong ones are told."""
    assert prepare(Data(source="synthetic_text"), "classification").labels == ("negative", "positive")
    data = prepare(Data(source="synthetic_series", params={"rows": 80, "length": 10, "features": 3}), "classification")
    assert data.input_shape == (10, 3)
    assert data.labels == ("fast falling", "fast rising", "slow falling", "slow rising")
    texts, labels = text(rows=3)
    assert list(zip(texts.tolist(), labels.tolist(), strict=True)) == [
        ("my sister says that the plot was not clever ...", "negative"),
        ("for once the script seemed quite muddled.", "negative"),
        ("the camera work felt not superb!", "negative"),
    ]
    x, y = series(rows=50)
    assert y[:3].tolist() == ["fast rising", "fast falling", "fast falling"]
    assert x[:2, 0, 0].tolist() == pytest.approx([0.04420437, -0.05022591], rel=1e-5)
    with pytest.raises(InputError, match=r"data.params.rows  0  allowed: a number of at least 1"):
        prepare(Data(source="synthetic_text", params={"rows": 0}), "classification")
    with pytest.raises(InputError, match="unexpected keyword argument 'colour'"):
        prepare(Data(source="synthetic_series", params={"colour": 1}), "classification")


def test_a_linear_model_sees_the_trend_and_not_the_frequency() -> None:
    """What the documentation promises of the series."""
    from sklearn.linear_model import LogisticRegression

    x, y = series(rows=1000, noise=0.3)
    flat = x.reshape(len(x), -1)
    scores = {}
    for word in (0, 1):
        target = np.array([label.split()[word] for label in y])
        scores[word] = LogisticRegression(C=0.01, max_iter=2000).fit(flat[:600], target[:600]).score(flat[600:], target[600:])
    assert scores[0] < 0.62
    assert scores[1] > 0.8
