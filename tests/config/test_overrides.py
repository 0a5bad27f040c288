"""``--set key=value``."""

from __future__ import annotations

import pytest

from sweeper.config.distributions import Choice, Log
from sweeper.config.schema import AdamW, Sgd
from sweeper.config.space import Space
from sweeper.errors import InputError

TREES = "name: a\noptimizer: {choice: [{lr: {log: [1e-4, 1e-2]}}, {name: sgd, lr: 0.1, momentum: 0.8}]}\n"


def parse(*overrides: str, text: str = "name: a\n") -> Space:
    """A space with overrides."""
    return Space.parse(text, "s.yaml", overrides)


def test_a_value_is_yaml() -> None:
    """Numbers, text, null, lists and mappings are written as in the file."""
    space = parse("optimizer.lr=1e-4", "training.clip_norm=null", "data.drop=[id]", "data.target=no", "data.split={by: time, column: day}")
    assert space.base.optimizer.lr == 1e-4
    assert space.base.training.clip_norm is None
    assert space.base.data.drop == ["id"]
    assert space.base.data.target == "no"
    assert space.base.data.split.column == "day"


def test_a_value_may_be_a_distribution_or_replace_one() -> None:
    """What is searched can be changed from the command line."""
    text = "name: a\nmodel: {width: {choice: [8, 16]}}\n"
    assert parse("model.width=32", text=text).leaves == ()
    (leaf,) = parse("model.width={choice: [1, 2]}", text=text).leaves
    assert leaf.distribution == Choice((1, 2))


def test_a_key_that_the_file_lacks_is_set() -> None:
    """Sections are made on the way, the last of two overrides wins."""
    assert parse("model.width=3", "model.width=4").base.model.width == 4


def test_a_sub_tree_may_be_replaced() -> None:
    """A whole section is one value."""
    assert parse("optimizer={name: sgd, lr: 0.3}", text=TREES).base.optimizer == Sgd(lr=0.3)


def test_a_key_of_a_choice_is_set_in_every_sub_tree_that_has_it() -> None:
    """A common key reaches all, another only those that know it, a label picks one."""
    space = parse("optimizer.lr=0.01", text=TREES)
    assert space.base.optimizer == AdamW(lr=0.01)
    assert space.identity()["optimizer.sgd.lr"] == 0.01
    assert parse("optimizer.momentum=0.5", text=TREES).identity()["optimizer.sgd.momentum"] == 0.5
    one = parse("optimizer.sgd.lr={log: [0.1, 0.5]}", text=TREES)
    assert {leaf.name: leaf.distribution for leaf in one.leaves if leaf.path == "optimizer.lr"} == {
        "optimizer.adamw.lr": Log(1e-4, 1e-2),
        "optimizer.sgd.lr": Log(0.1, 0.5),
    }


def test_the_name_picks_one_of_a_choice() -> None:
    """Setting the key that tells sub-trees apart keeps the sub-tree of that name."""
    assert parse("optimizer.name=sgd", text=TREES).base.optimizer == Sgd(lr=0.1, momentum=0.8)


@pytest.mark.parametrize(
    ("override", "path", "words"),
    [
        ("model.widht=3", "model.widht", 'did you mean "model.width"?'),
        ("modle.width=3", "modle.width", 'did you mean "model"?'),
        ("model.width.choice=3", "model.width.choice", "unknown key"),
        ("data.split.colum=3", "data.split.colum", 'did you mean "data.split.column"?'),
        ("data.seed.x=3", "data.seed.x", '"data.seed" has no keys below it'),
        ("optimizer.epsi=3", "optimizer.epsi", 'did you mean "optimizer.eps"?'),
        ("optimizer.name=rms", "optimizer.name", "adamw, sgd"),
        ("optimizer.sgd.beta1=0.5", "optimizer.sgd.beta1", "unknown key"),
        ("model.width=wide", "model.width", "a whole number from 1"),
        ("optimizer.momentum=2", "optimizer.choice[1].momentum", "below 1"),
        ("search.grace_epochs=99", "search.grace_epochs", "30 epochs"),
        ("model.width={int: [9, 1]}", "model.width", "low 9 is above high 1"),
        ("training.epochs=[", "", "the bracket [ is not closed"),
        ("training.epochs=010", "", "write 10"),
        ("training.epochs", "", "write --set training.epochs=10"),
        ("=3", "", "write --set training.epochs=10"),
    ],
)
def test_a_mistake_names_the_option(override: str, path: str, words: str) -> None:
    """The message begins with the option, as there is no line to name."""
    with pytest.raises(InputError) as error:
        parse(override, text=TREES)
    (problem,) = error.value.problems
    assert (problem.source, problem.path, problem.line) == (f"--set {override}", path, None)
    assert words in str(problem)


def test_mistakes_of_file_and_options_are_told_together() -> None:
    """First the file's, in its order, then the options'."""
    with pytest.raises(InputError) as error:
        parse("model.widht=3", text="name: a\nsearch: {trials: 0}\n")
    assert [problem.source for problem in error.value.problems] == ["s.yaml", "--set model.widht=3"]


def test_an_override_mends_a_mistake_of_the_file() -> None:
    """What is replaced is not judged."""
    assert parse("search.trials=3", text="name: a\nsearch: {trials: 0}\n").base.search.trials == 3
