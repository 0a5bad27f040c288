"""A tree that knows where each of its keys was written: in the file, or in a ``--set``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sweeper.config.strict_yaml import KeyPath, Position, dotted
from sweeper.errors import InputError, Problem


@dataclass
class Located:
    """Plain data, the position of its keys, and the problems found in it so far.

    Attributes:
        source: the file.
        tree: its data, after ``--set``.
        positions: 1-based (line, column) by path.
        options: which ``--set`` wrote the value at a path.
    """

    source: str
    tree: dict[str, Any]
    positions: dict[KeyPath, Position]
    options: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: KeyPath, found: str, allowed: str = "", hint: str = "", *, at: KeyPath | None = None) -> None:
        """Note a problem.

        Args:
            path: the key that is named.
            found: what stands there.
            allowed: what may stand there.
            hint: how to write it.
            at: the path whose position is given, when it is a part of the key's value.
        """
        source, position = self._where(path if at is None else at)
        line, column = position or (None, None)
        problem = Problem(source, dotted(path), found, allowed, hint, line, column)
        if problem not in self.problems:
            self.problems.append(problem)

    def check(self) -> None:
        """Raise everything that was found, in the order of the file.

        Raises:
            InputError: there are problems.
        """
        if self.problems:
            raise InputError(sorted(self.problems, key=lambda p: (p.line is None, p.line or 0, p.column or 0)))

    def faulty(self, path: KeyPath) -> bool:
        """Whether a problem was found at a key, above or below it."""
        name = dotted(path)
        return any(
            name == p.path or name.startswith((f"{p.path}.", f"{p.path}[")) or p.path.startswith((f"{name}.", f"{name}["))
            for p in self.problems
        )

    def written(self, path: KeyPath, value: Any, option: str) -> None:
        """Put a value into the tree (making mappings on the way) and remember the option that brought it."""
        node: Any = self.tree
        for depth, part in enumerate(path[:-1], start=1):
            wanted = list if isinstance(path[depth], int) else dict
            if isinstance(node, dict) and not isinstance(node.get(str(part)), wanted):
                node[str(part)] = {}
                self._forget(path[:depth], option)
            node = node[part]
        node[path[-1]] = value
        self._forget(path, option)

    def _forget(self, path: KeyPath, option: str) -> None:
        for known in [p for p in self.positions if p[: len(path)] == path]:
            del self.positions[known]
        for known in [p for p in self.options if p[: len(path)] == path]:
            del self.options[known]
        self.options[path] = option

    def _where(self, path: KeyPath) -> tuple[str, Position | None]:
        for length in range(len(path), -1, -1):
            part = path[:length]
            if part in self.options:
                return self.options[part], None
            if part in self.positions:
                return self.source, self.positions[part]
        return self.source, None
