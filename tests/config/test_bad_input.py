"""Mistakes in a space as a whole: its name, several of them at once, any tree. The tables of single ones are beside this file."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.config.space import Space
from sweeper.config.strict_yaml import dump
from sweeper.errors import InputError
from tests.config.mistakes import problems


@pytest.mark.parametrize("name", ["My Sweep", "-a", ".hidden", "mlp; rm -rf x", "../up", "a" * 64, "ä", "a\\nb", ""])
def test_a_bad_name_is_refused(name: str) -> None:
    """A name that could not be a folder, or more than a folder, is refused."""
    (problem,) = problems(f'name: "{name}"\n')
    assert (problem.line, problem.column, problem.path) == (1, 1, "name")
    assert "1 to 63 of a-z, 0-9" in problem.allowed


def test_a_missing_name_is_told() -> None:
    """The one key without a default is asked for."""
    (problem,) = problems("task: regression\n")
    assert problem.path == "name"
    assert "name is missing" in problem.found


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    """Unknown keys, wrong values, bad bounds, bad rules and keys that do not go together come in one answer."""
    text = textwrap.dedent("""\
        name: a
        task: regression
        model:
          widht: 3
          dropout: {uniform: [0.5, 0.1]}
          depth: {choice: [1, 2, 2]}
        optimizer: {lr: fast}
        search: {metric: val_accuracy, trials: 0}
        forbid: [{model.norm: btach}]
        """)
    found = problems(text)
    assert [problem.line for problem in found] == [4, 5, 6, 7, 8, 8, 9]
    assert len(set(found)) == len(found)


def test_a_mistake_does_not_cause_another_message() -> None:
    """Keys are not judged together with a key that could not be read."""
    (problem,) = problems("name: a\ntask: regresion\nsearch: {metric: val_mae, grace_epochs: 50}\ntraining: {epochs: 60}\n")
    assert problem.path == "task"
    (problem,) = problems("name: a\nsearch: {grace_epochs: 50}\ntraining: {epochs: lots}\n")
    assert problem.path == "training.epochs"


VALUES = st.sampled_from(
    ["mlp", "sgd", "batch", "relu", 0, 1, 2, -1, 0.5, float("inf"), float("nan"), True, None, "", "3", 10**30, [], {}, "val_loss"]
)
NAMES = ["name", "family", "width", "depth", "norm", "dropout", "lr", "momentum", "epochs", "seed", "split", "metric", "x"]
MARKS = ["choice", "uniform", "log", "int", "step", "default", "when", ">=", "model.norm", "model.depth", "optimizer.momentum"]
TREES = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES + MARKS), inner, max_size=4)),
    max_leaves=12,
)
SECTIONS = ["name", "task", "data", "model", "optimizer", "schedule", "training", "search", "resources", "forbid", "provenance"]


@given(
    st.dictionaries(st.sampled_from(SECTIONS), TREES, max_size=5),
    st.lists(
        st.sampled_from(["model.depth=2", "optimizer.lr=sgd", "optimizer.name=sgd", "training.epochs={int: [1, 3]}", "data.split.by=x"]),
        max_size=2,
    ),
)
@settings(max_examples=150)
def test_any_tree_is_a_space_or_has_problems(tree: dict[str, Any], overrides: list[str]) -> None:
    """Whatever stands in a file, the answer is a space or a list of distinct problems."""
    try:
        space = Space.parse(dump({"name": "a", **tree}), "s.yaml", overrides)
    except InputError as refused:
        found = refused.problems
    else:
        found = ()
        assert Space.parse(space.text, "s.yaml") == space
    assert len(set(found)) == len(found)
