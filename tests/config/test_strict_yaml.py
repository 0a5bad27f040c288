"""The strict loader: positions, refusals, and the way back."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sweeper.config.strict_yaml import dotted, dump, load, load_value
from sweeper.config.text_file import MOST_BYTES
from sweeper.errors import InputError, Problem


def problems(text: str) -> tuple[Problem, ...]:
    """What is wrong with a text."""
    with pytest.raises(InputError) as error:
        load(text, "s.yaml")
    return error.value.problems


def test_every_key_and_item_has_its_position() -> None:
    """Positions are 1-based lines and columns of keys and list items."""
    document = load("name: a\nmodel:\n  width: {choice: [64, 128]}\n", "s.yaml")
    assert document.data == {"name": "a", "model": {"width": {"choice": [64, 128]}}}
    assert document.positions["name",] == (1, 1)
    assert document.positions["model", "width"] == (3, 3)
    assert document.positions["model", "width", "choice"] == (3, 11)
    assert document.positions["model", "width", "choice", 1] == (3, 24)


@pytest.mark.parametrize(
    ("text", "line", "column", "path", "words"),
    [
        pytest.param("", 1, 1, "", "empty", id="empty"),
        pytest.param("# nothing\n", 1, 1, "", "empty", id="only comments"),
        pytest.param("---\n", 2, 1, "", "empty", id="only a marker"),
        pytest.param("- a\n- b\n", 1, 1, "", "the top level is a list", id="a list"),
        pytest.param("hello\n", 1, 1, "", "the top level is text", id="a word"),
        pytest.param("name: a\nmodel:\n\twidth: 3\n\tdepth: 2\n", 3, 1, "", "a tab indents the line (and 1 more)", id="tabs"),
        pytest.param("name:\ta\n", 1, 6, "", "a tab", id="a tab after the colon"),
        pytest.param("name: a\nmodel: {width: [1, 2}\n", 2, 16, "model.width", "the bracket [ is not closed", id="wrong bracket"),
        pytest.param("name: a\nmodel: {width: 1\n", 2, 8, "model", "the bracket { is not closed", id="open brace"),
        pytest.param("name: a\ndata: [\n", 2, 7, "data", "the bracket [ is not closed", id="open bracket at the end"),
        pytest.param('name: "a\nmodel: 3\n', 1, 7, "", "close the quotes", id="open quotes"),
        pytest.param("name: a: b\n", 1, 8, "", "key: value", id="two colons"),
        pytest.param("name: a\nmodel\ntask: x\n", 2, 1, "", "colon", id="no colon"),
        pytest.param("name: a\n  task: x\n", 2, 7, "", "indent", id="bad indentation"),
        pytest.param("name: a\n---\nname: b\n", 2, 1, "", "one document", id="two documents"),
        pytest.param("name: a\ntask: x\nname: b\n", 3, 1, "name", 'the key "name" stands here and on line 1', id="duplicate key"),
        pytest.param("model: {width: 1, width: 1}\n", 1, 19, "model.width", "and on line 1", id="duplicate key on one line"),
        pytest.param("name: !!str a\n", 1, 7, "name", "a tag, !!str", id="standard tag"),
        pytest.param("name: !mine a\n", 1, 7, "name", "a tag, !mine", id="own tag"),
        pytest.param("data: !!python/object/apply:os.system [ls]\n", 1, 7, "data", "a tag, !!python", id="python tag"),
        pytest.param("model: &m {}\n", 1, 8, "model", "an anchor, &m", id="anchor"),
        pytest.param("model: *m\n", 1, 8, "model", "an alias, *m", id="alias"),
        pytest.param("*m : 3\n", 1, 1, "", "an alias", id="alias as a key"),
        pytest.param("model: {<<: {a: 1}}\n", 1, 9, "model", "a merge key", id="merge key"),
        pytest.param("a: " + "[" * 25 + "]" * 25, 1, 23, "a", "at most 20 levels", id="nesting"),
        pytest.param("[" * 3000, 1, 21, "", "at most 20 levels", id="3,000 brackets"),
        pytest.param("{a: " * 3000, 1, 81, "a", "at most 20 levels", id="3,000 braces"),
        pytest.param("name: a\0b\n", 1, 8, "", "a NUL character", id="NUL"),
        pytest.param("name: a\n\x07: b\n", 2, 1, "", "U+0007", id="control character"),
        pytest.param('name: "a\\0b"\n', 1, 7, "name", "escaped NUL", id="escaped NUL"),
        pytest.param('name: "\\ud800"\n', 1, 7, "name", "half a character", id="escaped surrogate"),
        pytest.param("3: a\n", 1, 1, "", 'write "3"', id="number as key"),
        pytest.param("null: a\n", 1, 1, "", 'write "null"', id="null as key"),
        pytest.param("true: a\n", 1, 1, "", 'write "true"', id="boolean as key"),
        pytest.param("{[a]: b}\n", 1, 2, "", "a key is a list", id="list as key"),
        pytest.param("a: 010\n", 1, 4, "a", "write 10", id="leading zero"),
        pytest.param("a: 1:30\n", 1, 4, "a", "base 60", id="base 60"),
        pytest.param("a: 2024-01-01\n", 1, 4, "a", 'write "2024-01-01"', id="date"),
    ],
)
def test_a_surprise_is_refused_at_its_position(text: str, line: int, column: int, path: str, words: str) -> None:
    """Each thing that YAML allows and people do not expect has one message at one place."""
    (problem,) = problems(text)
    assert (problem.line, problem.column, problem.path) == (line, column, path)
    assert words in str(problem)
    assert problem.allowed or problem.hint


def test_all_surprises_are_told_at_once() -> None:
    """One reading finds every problem, in the order of the file."""
    text = "name: &a x\nmodel: !!map {width: 010}\ntask: *a\nname: y\n"
    assert [problem.line for problem in problems(text)] == [1, 2, 2, 3, 4]


def test_an_alias_bomb_is_not_expanded() -> None:
    """Aliases are errors, so that nothing can grow."""
    text = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    assert all("anchor" in p.found or "alias" in p.found for p in problems(text))


def test_a_large_text_is_refused() -> None:
    """A quarter of a megabyte is no space file."""
    (problem,) = problems("#" * (MOST_BYTES + 1))
    assert "256 KiB" in problem.found


def test_a_value_of_an_option_has_no_position() -> None:
    """Problems with an option's value name the option only."""
    with pytest.raises(InputError) as error:
        load_value("[1, 2", "--set a=[1, 2")
    assert str(error.value).startswith("--set a=[1, 2  the bracket [")


def test_paths_are_dotted() -> None:
    """Items of lists are written in brackets."""
    assert dotted(("optimizer", "choice", 1, "lr")) == "optimizer.choice[1].lr"


@given(st.text(alphabet=st.sampled_from(list("ab1:-[]{}!&*'\"|>%@#,?\\ \n\t~_.e0")), max_size=40))
@settings(max_examples=300, deadline=None)
@example('"\\U00110000"')
@example("%YAML 1." + "1" * 5000 + "\n---\na: b")
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever is typed, the answer is a mapping or problems, never another exception."""
    with contextlib.suppress(InputError):
        assert isinstance(load(text, "s.yaml").data, dict)


WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
    st.sampled_from(
        [
            "no",
            "on",
            "1e-4",
            "010",
            "1:30",
            "0x1f",
            "0o17",
            "2024-01-01",
            "1_000",
            "null",
            "~",
            "",
            "<<",
            "=",
            "true",
            " a ",
            "a: b",
            "- a",
            "#a",
        ]
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), WORDS)
TREES = st.dictionaries(
    WORDS.filter(lambda key: key != "<<"),
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS.filter(lambda k: k != "<<"), inner, max_size=3)),
        max_leaves=6,
    ),
    min_size=1,
    max_size=4,
)


def same(left: Any, right: Any) -> bool:
    """Equal in value, type, sign and order."""
    if type(left) is not type(right):
        return False
    match left:
        case dict():
            return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
        case list():
            return len(left) == len(right) and all(map(same, left, right))
        case float():
            return left == right and math.copysign(1, left) == math.copysign(1, right)
        case _:
            return bool(left == right)


@given(TREES)
@settings(max_examples=150, deadline=None)
def test_what_is_dumped_reads_back_bit_for_bit(tree: dict[str, Any]) -> None:
    """Dumping and loading changes no value, no type and no order."""
    assert same(load(dump(tree), "s.yaml").data, tree)


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=100, deadline=None)
def test_a_dumped_float_is_a_float_to_other_readers(value: float) -> None:
    """A reader of YAML 1.1 gets the same number, not text."""
    assert yaml.safe_load(dump({"a": value}))["a"] == value
