"""Bad data: one clear sentence each, with key, file and column; never a traceback."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from sweeper.config.schema import Data
from sweeper.data.checks import drop_hint
from sweeper.data.prepare import prepare
from sweeper.errors import InputError, Problem

GOOD = pd.DataFrame({"age": range(60), "plan": ["a", "b", "c"] * 20, "churned": ["yes", "no"] * 30})


def refused(data: Data, task: str = "classification", source: str = "space.yaml") -> tuple[Problem, ...]:
    """The problems that preparing this raises."""
    with pytest.raises(InputError) as caught:
        prepare(data, task, source=source)
    assert str(caught.value)
    return caught.value.problems


def csv(tmp_path: Path, table: pd.DataFrame, **keys: object) -> Data:
    """The section for this table as a file."""
    path = tmp_path / "table.csv"
    table.to_csv(path, index=False)
    return Data.model_validate({"source": str(path), "target": "churned", **keys})


@pytest.mark.parametrize(
    ("name", "found", "hint"),
    [
        ("digit", "neither a known name nor a file", 'did you mean "digits"?'),
        ("table.xlsx", "neither a known name nor a file", ""),
        ("tabel.csv", "there is no file", 'did you mean "table.csv"?'),
        ("nowhere/at/all.csv", "there is no file", "looked in"),
        ("nowhere/at/all", "is neither a folder nor a file of a known kind", "looked in"),
        ("./table.csv/", "is neither a folder nor a file of a known kind", "looked in"),
        ("folder.csv", "is a directory", ""),
    ],
)
def test_a_source_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, found: str, hint: str) -> None:
    """The key, the known names and endings, and the nearest of them are told."""
    monkeypatch.chdir(tmp_path)
    GOOD.to_csv("table.csv")
    Path("folder.csv").mkdir()
    (problem,) = refused(Data(source=name, target="churned"))
    assert (problem.source, problem.path) == ("space.yaml", "data.source")
    assert found in problem.found
    assert "digits, breast_cancer, wine, diabetes, synthetic_series" in problem.allowed
    assert (
        "a .csv, .parquet, .npz, .npy file, a folder of images, texts or .npy files (./photos), or a function (my_package.module:load)"
        in problem.allowed
    )
    assert hint in problem.hint


def test_both_folders_in_which_a_file_was_looked_up_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current one, and that of the space file."""
    monkeypatch.chdir(tmp_path)
    (problem,) = refused(Data(source="absent.csv", target="churned"), source="spaces/space.yaml")
    assert problem.hint == f"looked in {tmp_path} and {tmp_path / 'spaces'}"


def test_a_relative_path_is_looked_up_in_the_folder_of_the_config_at_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sweep saw from its working directory is found from another one; what lies nearer comes first."""
    away = tmp_path / "away"
    away.mkdir()
    monkeypatch.chdir(away)
    GOOD.to_csv(tmp_path / "t.csv", index=False)
    data = Data(source="t.csv", folder=str(tmp_path), target="churned")
    assert prepare(data, "classification").summary["source"] == str(tmp_path / "t.csv")
    GOOD.to_csv(away / "t.csv", index=False)
    assert prepare(data, "classification").summary["source"] == "t.csv"
    (problem,) = refused(Data(source="x/t.csv", folder=str(tmp_path), target="churned"))
    assert problem.hint == f"looked in {away} and {tmp_path}"


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"a,churned\n", "the table has no rows"),
        ("a.csv", b"a,churned\n1,x,3\n", "not a table"),
        ("a.csv", b"a,churned\n1,2\n1,2,3,4\n", "not a table"),
        ("a.csv", b"a,a,churned\n1,2,x\n", "two columns are named 'a'"),
        ("a.csv", b"a;churned\n1;x\n", "one column, with ';' in its name"),
        ("a.csv", b"a;churned\n1,5;x\n2;y\n", "one column, with ';' in its name"),
        ("a.csv", b"a,churned\n1,x\n2,K\xf6ln\n", "line 3: byte 0xf6 is not UTF-8"),
        ("a.csv", b'a,churned\n"1,x\n', "not a table"),
        ("a.parquet", b"PAR1 nothing else", "not a Parquet file"),
        ("a.npz", b"PK\x03\x04 nothing else", "not an npz file"),
        ("a.npz", b"", "not an npz file"),
    ],
)
def test_a_file_that_is_not_what_its_ending_says(tmp_path: Path, name: str, content: bytes, found: str) -> None:
    """The file and what is wrong with it are told."""
    path = tmp_path / name
    path.write_bytes(content)
    (problem,) = refused(Data(source=str(path), target="churned"))
    assert (problem.source, problem.path) == (str(path), "data.source")
    assert found in problem.found


def test_every_wrong_key_is_told_at_once(tmp_path: Path) -> None:
    """Target, split column, drop and fractions are judged together, each with the nearest name."""
    data = csv(
        tmp_path,
        GOOD,
        target="churn",
        drop=["agee", "plan"],
        split={"by": "group", "column": "customer"},
        val_fraction=0.5,
        test_fraction=0.5,
    )
    problems = refused(data)
    assert [problem.path for problem in problems] == ["data.val_fraction", "data.target", "data.split.column", "data.drop"]
    assert problems[1].hint == 'did you mean "churned"?'
    assert problems[3].hint == 'did you mean "age"?'
    assert all(problem.allowed == "age, plan, churned" for problem in problems[1:])


def test_a_missing_file_does_not_hide_wrong_fractions() -> None:
    """What can be told without the file is told with it."""
    assert [problem.path for problem in refused(Data(source="no.csv", val_fraction=0.6, test_fraction=0.4))] == [
        "data.val_fraction",
        "data.source",
    ]


@pytest.mark.parametrize(
    ("keys", "path", "found"),
    [
        ({"target": None}, "data.target", "missing, for the table"),
        ({"drop": ["churned"]}, "data.drop", "'churned' is the target"),
        ({"drop": ["age", "plan"]}, "data.drop", "no input column"),
        ({"split": {"by": "group"}}, "data.split.column", "missing, for a split by group"),
        ({"split": {"column": "plan"}}, "data.split.column", "'plan', for a random split"),
        ({"split": {"by": "group", "column": "churned"}}, "data.split.column", "'churned' is the target"),
        ({"val_fraction": 0.001}, "data.val_fraction", "the val part gets none of 60 rows"),
        ({"test_fraction": 0.001, "val_fraction": 0.001}, "data.val_fraction", "the val part gets none of 60 rows"),
    ],
)
def test_keys_that_contradict_the_table(tmp_path: Path, keys: dict[str, object], path: str, found: str) -> None:
    """The space file and the key are named."""
    problem = refused(csv(tmp_path, GOOD, **keys))[0]
    assert (problem.source, problem.path) == ("space.yaml", path)
    assert found in problem.found


LABELS = {
    "gaps": (["yes", None] * 30, "classification", "data.target", "has 30 gaps, the first in row 2"),
    "constant": (["yes"] * 60, "classification", "data.target", "is 'yes' in every row"),
    "constant number": ([2.0] * 60, "regression", "data.target", "is '2.0' in every row"),
    "rare": (
        ["yes"] * 29 + ["no"] * 29 + ["maybe"] * 2,
        "classification",
        "data.target",
        "1 classes have fewer than 3 rows: 'maybe' (2 rows)",
    ),
    "fractions": (np.linspace(0, 1, 60), "classification", "task", "holds 60 different numbers in 60 rows"),
    "counts": (list(range(60)), "classification", "task", "holds 60 different numbers in 60 rows"),
    "text": (["yes", "no"] * 30, "regression", "task", "holds text, such as 'yes'"),
    "flags": ([True, False] * 30, "regression", "task", "holds boolean, such as 'True'"),
    "infinite": ([1.0, np.inf] * 30, "regression", "data.target", "is infinite in row 2"),
    "infinite label": ([1.0, np.inf] * 30, "classification", "data.target", "is infinite in row 2"),
}


@pytest.mark.parametrize("case", LABELS)
def test_targets_that_do_not_serve(tmp_path: Path, case: str) -> None:
    """Gaps, a single value, rare classes and targets of the other task are told with the file and the column."""
    values, task, path, found = LABELS[case]
    (problem,) = refused(csv(tmp_path, GOOD.assign(churned=values)), task)
    assert (Path(problem.source).name, problem.path) == ("table.csv", path)
    assert found in problem.found
    if path == "task":
        assert problem.hint == ("task: classification" if task == "regression" else "task: regression")


def test_every_bad_column_is_told_at_once(tmp_path: Path) -> None:
    """Ids, infinities, gaps that are refused, empty columns, and numbers with a typo: one problem each, beside the target's."""
    table = GOOD.assign(
        id=[f"row {row}" for row in range(60)],
        ratio=[1.0, np.inf] * 30,
        gaps=[1.0, np.nan] * 30,
        empty=np.nan,
        typo=[*map(str, range(59)), "?!"],
        churned=["yes"] * 60,
    )
    problems = refused(csv(tmp_path, table, missing="error"))
    assert [problem.path for problem in problems] == ["data.target", "data.drop", "data.source", "data.missing", "data.drop", "data.drop"]
    found = [problem.found for problem in problems[1:]]
    assert found == [
        "column 'id' has 60 different texts in 60 rows",
        "column 'ratio' is infinite in row 2",
        "column 'gaps' has 30 gaps, the first in row 2",
        "column 'empty' has no values",
        "column 'typo' has 60 different texts in 60 rows; most are numbers, but not '?!'",
    ]
    assert problems[1].hint == "an id or a name? drop: [id]"


def test_a_column_of_prose_may_be_the_text(tmp_path: Path) -> None:
    """The key for texts is offered beside leaving the column out; an id of one word is none."""
    table = GOOD.assign(**{"what: said": [f"this is remark number {row}" for row in range(60)]})
    (problem,) = refused(csv(tmp_path, table))
    assert problem.hint == 'prose? text: "what: said", which is the only input then; an id or a name? drop: ["what: said"]'


def test_a_column_without_values_in_training_is_refused(tmp_path: Path) -> None:
    """Gaps cannot be filled from nothing."""
    table = GOOD.assign(late=[np.nan] * 50 + [1.0] * 10)
    (problem,) = refused(csv(tmp_path, table, split={"by": "time", "column": "age"}))
    assert problem.found == "column 'late' has no values in the training part"
    assert problem.hint == "drop: [late]"


def test_a_class_that_only_the_newest_rows_have_is_refused(tmp_path: Path) -> None:
    """The label is named."""
    table = GOOD.assign(churned=["yes", "no"] * 25 + ["maybe"] * 10)
    (problem,) = refused(csv(tmp_path, table, split={"by": "time", "column": "age"}))
    assert problem.found == "no training row has the label 'maybe'"


def test_columns_of_lists_are_refused(tmp_path: Path) -> None:
    """Parquet can hold what is no column of a table."""
    path = tmp_path / "t.parquet"
    GOOD.assign(history=[[1, 2]] * 60, took=pd.to_timedelta(range(60))).to_parquet(path)
    problems = refused(Data(source=str(path), target="churned"))
    assert [problem.hint for problem in problems] == ["drop: [history]", "drop: [took]"]


X, Y = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3
HOLES = np.where(np.arange(120).reshape(30, 4) == 50, np.nan, X)
ARRAYS = {
    "nan": ({"x": HOLES, "y": Y}, "data.source", "1 rows of the inputs hold NaN or infinite values, the first is row 13"),
    "objects": ({"x": X, "y": np.array(["a", None] * 15)}, "data.source", "array 'y' holds Python objects"),
    "lengths": ({"x": X, "y": Y[:20]}, "data.source", "array 'x' has 30 rows, 'y' has 20"),
    "no x": ({"a": X, "b": X, "y": Y}, "data.source", "no array 'x' among 'a', 'b', 'y'"),
    "no y": ({"x": X, "label": Y}, "data.target", "has no array 'y'"),
    "one-hot": ({"x": X, "y": np.eye(3)[Y]}, "data.target", "the target has the shape [30, 3]"),
    "deep y": ({"x": X, "y": np.ones((30, 3, 2))}, "data.target", "array 'y' has the shape [30, 3, 2]"),
    "text": ({"x": X.astype(str), "y": Y}, "data.source", "the inputs are of type <U"),
    "channels last": ({"x": np.ones((30, 8, 8, 3)), "y": Y}, "data.source", "channels last"),
    "five axes": ({"x": np.ones((30, 1, 1, 1, 1)), "y": Y}, "data.source", "has the shape [30, 1, 1, 1, 1]"),
    "empty": ({"x": X[:0], "y": Y[:0]}, "data.source", "has the shape [0, 4]"),
    "nan labels": ({"x": X, "y": np.where(Y == 0, np.nan, Y)}, "data.target", "has 10 gaps"),
    "no arrays": ({}, "data.source", "the file holds no arrays"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_that_do_not_serve(tmp_path: Path, case: str) -> None:
    """The array, its shape and what is allowed are told; nothing is unpickled."""
    arrays, path, found = ARRAYS[case]
    np.savez(tmp_path / "a.npz", **arrays)
    (problem,) = refused(Data(source=str(tmp_path / "a.npz")))
    assert problem.path == path
    assert found in problem.found


def test_arrays_have_no_columns_to_drop() -> None:
    """Dropping and a split column make no sense for digits."""
    problems = refused(Data.model_validate({"drop": ["a"], "split": {"by": "group", "column": "writer"}}))
    assert [problem.path for problem in problems] == ["data.split.column", "data.drop"]


def test_diabetes_is_no_classification() -> None:
    """The built-in regression set under the default task is told so."""
    (problem,) = refused(Data(source="diabetes"))
    assert problem.hint == "task: regression"


@pytest.mark.parametrize("name", ["id", "monthly charges (€)", "data used [GB]", "a, b", "a: b", "no", "7", "#", "'x'", "région", "x "])
def test_the_hint_is_yaml_that_works(name: str) -> None:
    """What the error says to write is read back as this very column."""
    assert yaml.safe_load(drop_hint([name])) == {"drop": [name]}
