"""User code by dotted path: found beside the config, and one sentence for each way to fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import InputError, Problem
from sweeper.usercode import call, load_attribute


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """Forgets the modules that a test has written."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def refused(function: Any, *args: Any, **kwargs: Any) -> Problem:
    """The one problem that this raises."""
    with pytest.raises(InputError) as caught:
        function(*args, **kwargs)
    (problem,) = caught.value.problems
    return problem


def test_a_module_beside_the_config_wins_and_finds_its_neighbours(tmp_path: Path) -> None:
    """It is imported from that folder although the name is taken elsewhere, and may import beside itself when it is called."""
    (tmp_path / "this.py").write_text("def answer():\n    import neighbour_of_this\n    return neighbour_of_this.VALUE\n")
    (tmp_path / "neighbour_of_this.py").write_text("VALUE = 42\n")
    before = sys.path[0]
    assert load_attribute("this:answer", tmp_path)() == 42
    assert sys.path[0] == before


def test_a_module_of_a_package_in_the_current_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config may lie elsewhere."""
    (tmp_path / "some_package").mkdir()
    (tmp_path / "some_package" / "inside.py").write_text("value = 7\n")
    monkeypatch.chdir(tmp_path)
    assert load_attribute("some_package.inside:value", tmp_path / "elsewhere") == 7


@pytest.mark.parametrize(
    ("path", "found", "hint"),
    [
        ("no colon", "'no colon' is no dotted path", "such as my_package.module:function"),
        ("os:system()", "is no dotted path", "such as"),
        ("../up:load", "is no dotted path", "such as"),
        ("not_there_at_all:load", "there is no module 'not_there_at_all'", "looked in"),
        ("written.missing:load", "there is no module 'written.missing'", "looked in"),
        ("written:lod", "written has no 'lod'", 'did you mean "load"?'),
        ("broken:load", "importing broken failed: ZeroDivisionError: division by zero", "broken.py:2"),
        ("needs:load", "importing needs failed: ModuleNotFoundError: No module named 'not_there_either'", "needs.py:1"),
        ("unwritten:load", "importing unwritten failed: SyntaxError", ""),
        ("leaves:load", "importing leaves failed: SystemExit: no such file", "leaves.py:2"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_one_sentence(tmp_path: Path, path: str, found: str, hint: str) -> None:
    """With the key, what is missing, and the line of the user's code that failed."""
    (tmp_path / "written").mkdir()
    (tmp_path / "written" / "__init__.py").write_text("def load(): ...\n")
    (tmp_path / "broken.py").write_text("x = 0\n1 / x\n")
    (tmp_path / "needs.py").write_text("import not_there_either\n")
    (tmp_path / "unwritten.py").write_text("def (\n")
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit('no such file')\n")
    problem = refused(load_attribute, path, tmp_path, source="space.yaml", key="data.source")
    assert (problem.source, problem.path) == ("space.yaml", "data.source")
    assert found in problem.found
    assert hint in str(problem)


def test_parameters_that_a_function_does_not_take_are_told_with_those_it_takes() -> None:
    """A typo in the parameters is found before the function runs."""
    problem = refused(call, lambda rows=3: rows, {"row": 2}, name="mine:load", key="data.params")
    assert problem.found == "mine:load: got an unexpected keyword argument 'row'"
    assert problem.allowed == "mine:load(rows=3)"
    assert problem.hint == "it is called with row"


def test_where_is_the_line_of_the_users_code(tmp_path: Path) -> None:
    """Not the line of the library that it calls with nonsense."""
    (tmp_path / "calls.py").write_text("import json\n\ndef load():\n    return json.loads('nonsense')\n")
    assert f"({tmp_path / 'calls.py'}:4)" in refused(call, load_attribute("calls:load", tmp_path), {}, name="calls:load").found


def test_a_function_that_fails_tells_where() -> None:
    """Its own InputError is passed on as it is; where it would end the program, that is an error like any other."""

    def leaves() -> None:
        sys.exit("no such file")

    def fails() -> None:
        raise KeyError("column")

    def refuses() -> None:
        raise InputError.of("mine", "", "the file is gone")

    assert "mine:load failed: KeyError: 'column' (" in refused(call, fails, {}, name="mine:load").found
    assert "mine:load failed: SystemExit: no such file (" in refused(call, leaves, {}, name="mine:load").found
    assert refused(call, refuses, {}, name="mine:load").source == "mine"
