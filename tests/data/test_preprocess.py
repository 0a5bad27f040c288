"""The preprocessing equals scikit-learn's, survives JSON bit for bit, and meets new rows calmly."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.data.columns import kinds_of, texts
from sweeper.data.fit import fit_array, fit_table
from sweeper.data.inputs import ArrayInputs, TableInputs
from sweeper.data.preprocess import Preprocessing, Target
from sweeper.errors import InputError


def table(number: int = 60, seed: int = 0) -> pd.DataFrame:
    """Rows with gaps, text, a constant, flags and dates."""
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(3, 2, number)
    amount[::7] = np.nan
    return pd.DataFrame(
        {
            "amount (€)": amount,
            "visits": rng.integers(0, 9, number),
            "plan.type": [None if row % 11 == 0 else str(rng.choice(["basic", "Pro", "änder"])) for row in range(number)],
            "same": 4.5,
            "member": [None if row % 13 == 0 else bool(rng.random() < 0.7) for row in range(number)],
            "since": pd.Timestamp("2020-02-29") + pd.to_timedelta(rng.integers(0, 2000, number), unit="D"),
        }
    )


def fitted(train: pd.DataFrame, missing: str = "median", categorical: str = "onehot", scale: str = "standard") -> Preprocessing:
    """Preprocessing of a classification, fitted to these rows."""
    return Preprocessing(fit_table(train, kinds_of(train), missing=missing, categorical=categorical, scale=scale), Target("y", ("a", "b")))


def reference(missing: str, categorical: str, scale: str) -> object:
    """The same as a scikit-learn pipeline."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

    scaler = {"standard": StandardScaler, "minmax": MinMaxScaler, "none": FunctionTransformer}[scale]
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=3)
    text = OneHotEncoder(handle_unknown="ignore", sparse_output=False) if categorical == "onehot" else make_pipeline(ordinal, scaler())
    numeric = make_pipeline(SimpleImputer(strategy=missing), scaler())
    flag = make_pipeline(SimpleImputer(strategy="most_frequent"), scaler())
    names = ["amount (€)", "visits", "plan.type", "same", "member", "since"]
    steps = dict(zip(names, [numeric, numeric, text, numeric, flag, numeric], strict=True))
    return ColumnTransformer([(name, step, [name]) for name, step in steps.items()])


def plain(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as scikit-learn takes them: dates and booleans as numbers, gaps in text as None."""
    return rows.assign(
        **{
            "plan.type": pd.Series(texts(rows["plan.type"]), index=rows.index, dtype=object),
            "member": rows["member"].map({True: 1.0, False: 0.0}).astype(float),
            "since": (rows["since"] - pd.Timestamp(0)) / pd.Timedelta(seconds=1),
        }
    )


@pytest.mark.parametrize("scale", ["standard", "minmax", "none"])
@pytest.mark.parametrize("categorical", ["onehot", "ordinal"])
@pytest.mark.parametrize("missing", ["median", "mean", "most_frequent"])
def test_transform_equals_scikit_learn(missing: str, categorical: str, scale: str) -> None:
    """Without scikit-learn, the numbers are those of its pipeline to one part in a million, for rows that it did not see too."""
    train, new = table(), table(25, seed=1)
    new.loc[3, "plan.type"] = "never seen"
    expected = reference(missing, categorical, scale).fit(plain(train))
    own = fitted(train, missing, categorical, scale)
    for rows in (train, new):
        np.testing.assert_allclose(own.transform(rows), expected.transform(plain(rows)), rtol=1e-6, atol=1e-6)


def test_new_text_and_gaps_have_a_place() -> None:
    """An unknown text is all zeros, a gap its own category; ordinal codes are -1 and the last."""
    train = pd.DataFrame({"c": ["b", None, "a", "b"]})
    new = pd.DataFrame({"c": ["a", "zzz", None]})
    assert fitted(train).transform(new).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert fitted(train, categorical="ordinal", scale="none").transform(new).tolist() == [[0], [-1], [2]]


def test_a_gap_unknown_to_training_is_like_an_unknown_text() -> None:
    """Text without gaps in training gives zeros for a gap."""
    assert fitted(pd.DataFrame({"c": ["b", "a"]})).transform(pd.DataFrame({"c": [None]})).tolist() == [[0, 0]]


def test_text_that_is_nothing_but_gaps_in_training_is_one_category() -> None:
    """A training part may hold only the gaps of a text column."""
    inputs = fit_table(pd.DataFrame({"c": [None, None]}), {"c": "text"}, missing="median", categorical="onehot", scale="standard")
    assert Preprocessing(inputs, Target("y")).transform(pd.DataFrame({"c": ["a", None]})).tolist() == [[0], [1]]


def test_constant_columns_are_kept_and_finite() -> None:
    """A column without spread is shifted, never divided by zero, also when new rows differ."""
    for scale in ("standard", "minmax"):
        own = fitted(pd.DataFrame({"same": [3.0, 3.0, 3.0]}), scale=scale)
        assert own.transform(pd.DataFrame({"same": [3.0, 5.0]})).tolist() == [[0.0], [2.0]]


def test_json_keeps_every_bit() -> None:
    """Through JSON text and back the preprocessing is equal and gives identical numbers."""
    for categorical in ("onehot", "ordinal"):
        own = fitted(table(), categorical=categorical)
        again = Preprocessing.from_json(json.loads(json.dumps(own.to_json())))
        assert again == own
        assert np.array_equal(again.transform(table(9, 3)), own.transform(table(9, 3)))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), st.sampled_from(["standard", "minmax", "none"]))
def test_json_keeps_every_bit_of_any_numbers(values: list[float], scale: str) -> None:
    """Whatever was fitted, JSON returns it exactly, and the transform is finite."""
    train = pd.DataFrame({"v": values})
    own = fitted(train, scale=scale)
    assert Preprocessing.from_json(json.loads(json.dumps(own.to_json()))) == own
    assert np.isfinite(own.transform(train)).all()


def test_the_json_is_refused_when_damaged() -> None:
    """A missing key or another format is a sentence."""
    tree = fitted(table()).to_json()
    with pytest.raises(InputError, match="format"):
        Preprocessing.from_json({**tree, "format": 99})
    with pytest.raises(InputError, match="damaged"):
        Preprocessing.from_json({key: value for key, value in tree.items() if key != "table"})


def test_columns_are_found_by_name() -> None:
    """Other orders and additional columns change nothing; arrays stand for the input columns in their order."""
    own, rows = fitted(table()), table(8, 5)
    expected = own.transform(rows)
    mixed = rows[rows.columns[::-1]].assign(**{"another one": 1})
    assert np.array_equal(own.transform(mixed), expected)
    assert np.array_equal(own.transform(rows.to_numpy(dtype=object)), expected)


def test_missing_columns_are_named_all_at_once() -> None:
    """Each absent column is one problem."""
    with pytest.raises(InputError) as caught:
        fitted(table()).transform(table().drop(columns=["visits", "plan.type"]))
    assert [problem.found for problem in caught.value.problems] == ["has no column 'visits'", "has no column 'plan.type'"]


ROW = table().iloc[0]


@pytest.mark.parametrize(
    ("rows", "hint"),
    [
        (dict(ROW), r"DataFrame\(\[row\]\)"),
        (ROW, r"DataFrame\(\[row\]\)"),
        ([dict(ROW)], r"DataFrame\(rows\)"),
        ("t.csv", r"read_csv\(path\)"),
    ],
)
def test_rows_that_are_no_table_are_told_how_to_become_one(rows: object, hint: str) -> None:
    """What a service has in its hands: a row as a mapping or a Series, a list of them, a file's name."""
    with pytest.raises(InputError, match=rf"rows of type \w+  allowed: a table .*  pandas\.{hint}"):
        fitted(table()).transform(rows)  # type: ignore[arg-type]


def test_such_rows_made_into_a_table_are_those_of_the_table() -> None:
    """The hint works."""
    made = fitted(table()).transform(pd.DataFrame([dict(ROW)]))
    assert np.array_equal(made, fitted(table()).transform(table().head(1)))


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("visits", "many", "column 'visits' holds 'many' in row 2  allowed: numbers"),
        ("visits", math.inf, "column 'visits' is infinite in row 2"),
        ("member", "perhaps", "column 'member' holds 'perhaps' in row 2  allowed: true and false"),
        ("since", "last week", "column 'since' holds 'last week' in row 2  allowed: ISO 8601"),
        ("since", 1700000000, "column 'since' holds '1700000000' in row 2"),
        ("visits", 1e300, "too large for 32-bit"),
    ],
)
def test_values_of_another_kind_are_refused(column: str, value: object, sentence: str) -> None:
    """The column, the value and the row are named."""
    rows = table(4, 5).astype(object)
    rows.loc[1, column] = value
    with pytest.raises(InputError, match=sentence.replace("(", r"\(")):
        fitted(table()).transform(rows)


def test_values_may_come_in_other_clothes() -> None:
    """Text that is a number, a date or true/false is read as such."""
    own, rows = fitted(table()), table(8, 5)
    assert np.array_equal(
        own.transform(rows.astype(object).map(lambda value: value if pd.isna(value) else str(value))), own.transform(rows)
    )


def test_gaps_are_refused_where_training_allowed_none() -> None:
    """With missing: error a gap in production is a sentence, too."""
    train = table().dropna()
    with pytest.raises(InputError, match=r"column 'amount .* has 1 gaps, the first in row 1"):
        fitted(train, missing="error").transform(table(4))


def test_images_are_scaled_per_channel() -> None:
    """Each channel of the training part gets mean 0 and deviation 1; flat rows are folded; the JSON is exact."""
    images = np.random.default_rng(0).normal([[[[5.0]], [[-3.0]]]], [[[[2.0]], [[0.1]]]], size=(50, 2, 4, 4))
    own = Preprocessing(fit_array([images], scale="standard"), Target("y"))
    x = own.transform(images)
    np.testing.assert_allclose(x.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=(0, 2, 3)), 1, atol=1e-5)
    assert np.array_equal(own.transform(images.reshape(50, -1)), x)
    assert isinstance(own.inputs, ArrayInputs)
    assert Preprocessing.from_json(json.loads(json.dumps(own.to_json()))) == own


def test_arrays_of_another_shape_are_refused() -> None:
    """Shapes are told; so are NaN and text."""
    own = Preprocessing(fit_array([np.eye(3)], scale="none"), Target("y"))
    for array, sentence in [(np.ones((2, 4)), "shape"), (np.full((2, 3), np.nan), "row 1"), (np.full((2, 3), "a"), "array of numbers")]:
        with pytest.raises(InputError, match=sentence):
            own.transform(array)
    columns = fitted(table())
    assert isinstance(columns.inputs, TableInputs)
    with pytest.raises(InputError, match=r"allowed: \[rows, 6\]: amount"):
        columns.transform(np.ones((2, 3)))


@pytest.mark.parametrize("values", [("no", "yes"), (3, 7), (False, True), (0.5, 1.5)])
def test_class_indices_become_the_original_labels(values: tuple[object, object]) -> None:
    """Labels come back with their own type."""
    own = Preprocessing(fit_array([np.eye(2)], scale="none"), Target("y", values))
    again = Preprocessing.from_json(json.loads(json.dumps(own.to_json())))
    decoded = again.decode(np.array([1, 0, 1]))
    assert decoded.tolist() == [values[1], values[0], values[1]]
    assert type(decoded.tolist()[0]) is type(values[0])


def test_regression_outputs_get_their_unit_back() -> None:
    """Standardised outputs, flat or in a column, become values."""
    own = Preprocessing(fit_array([np.eye(2)], scale="none"), Target("y", mean=10.0, scale=2.5))
    assert own.decode(np.array([[0.0], [2.0]])).tolist() == [10.0, 15.0]
