"""What the tables of mistakes are made of: a case, and what its one message must be."""

from __future__ import annotations

import pytest

from sweeper.config.space import Space
from sweeper.errors import InputError, Problem

COLUMNS = ("text", "line", "column", "path", "words")
"""Of a case."""


def problems(text: str, *overrides: str) -> tuple[Problem, ...]:
    """What is wrong with a space."""
    with pytest.raises(InputError) as error:
        Space.parse(text, "s.yaml", overrides)
    return error.value.problems


def case(name: str, text: str, line: int, column: int, path: str, *words: str) -> object:
    """A space with one mistake; ``words`` are found in its message."""
    return pytest.param("name: a\n" + text, line, column, path, words, id=name)


def one_message(text: str, line: int, column: int, path: str, words: tuple[str, ...]) -> None:
    """The mistake is told once, with its position, its key, and what is allowed or how to write it."""
    (problem,) = problems(text)
    assert (problem.line, problem.column, problem.path) == (line, column, path)
    assert str(problem).startswith(f"s.yaml:{line}:{column}  {path}  ")
    assert problem.found
    assert problem.allowed or problem.hint
    for word in words:
        assert word in str(problem)
