"""``when`` and ``forbid``: tests on the values of other keys."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sweeper.config import keys, nearest
from sweeper.config.located import Located
from sweeper.config.strict_yaml import KeyPath
from sweeper.trial import Scalar

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
OPERATORS = (*_ORDER, "!=")
"""What a comparison may be made of."""


@dataclass(frozen=True)
class Condition:
    """A test on one key.

    Attributes:
        path: the key, such as ``model.norm``.
        allowed: values that pass; empty when ``comparisons`` decide.
        comparisons: ``(operator, value)`` pairs that must all hold.
    """

    path: str
    allowed: tuple[Scalar, ...] = ()
    comparisons: tuple[tuple[str, Scalar], ...] = ()

    def holds(self, value: Scalar) -> bool:
        """Whether a value passes; null passes no comparison of size."""
        if not self.comparisons:
            return any(_same(value, option) for option in self.allowed)
        return all(_compare(sign, value, bound) for sign, bound in self.comparisons)

    def tree(self) -> Any:
        """The test as it is written in a space."""
        return dict(self.comparisons) if self.comparisons else list(self.allowed)


Rule = tuple[Condition, ...]
"""A forbidden combination: all of its conditions hold."""


def told(rule: Rule) -> str:
    """The rule as it is written in a space, in one line."""
    return keys.show({condition.path: condition.tree() for condition in rule})


def parse(located: Located, path: KeyPath, tree: Any, owner: KeyPath) -> Rule:
    """Read a mapping of keys to values, as it stands under ``when`` or as one item of ``forbid``.

    Problems are noted in ``located``; what is returned then is not to be used.

    Args:
        located: the file.
        path: where the mapping stands.
        tree: the mapping.
        owner: the key that is named in messages.
    """
    example = "{model.norm: [batch, layer]}"
    if not isinstance(tree, dict) or not tree:
        located.problem(owner, keys.found(tree), "a mapping of keys to values", f"write {example}", at=path)
        return ()
    found = (_Test(located, name, owner, (*path, name)).read(test) for name, test in tree.items())
    return tuple(condition for condition in found if condition is not None)


@dataclass(frozen=True)
class _Test:
    """One test that is being read: its key, and where its problems go."""

    located: Located
    name: str
    owner: KeyPath
    at: KeyPath

    def problem(self, found: str, allowed: str, hint: str) -> None:
        self.located.problem(self.owner, found, allowed, hint, at=self.at)

    def read(self, test: Any) -> Condition | None:
        leaves = keys.leaf(self.name)
        if not leaves:
            hint = nearest.hint(self.name, keys.searched_paths()) or "write a dotted key such as model.depth"
            self.problem(f'unknown key "{self.name}"', f"a key of {', '.join(keys.SEARCHED[:-1])} or {keys.SEARCHED[-1]}", hint)
            return None
        if isinstance(test, dict):
            return self._comparison(test, leaves)
        options = test if isinstance(test, list) else [test]
        if not options:
            self.problem(f"an empty list for {self.name}", leaves[0].allowed, "write a value, or a list of values")
            return None
        return Condition(self.name, allowed=tuple(self._value(option, leaves) for option in options))

    def _comparison(self, test: dict[str, Any], leaves: tuple[keys.Key, ...]) -> Condition | None:
        if not test or any(sign not in OPERATORS for sign in test):
            hint = f'write {{{self.name}: {{">=": 3}}}}'
            self.problem(f"{keys.found(test)} is no comparison", f"one of {' '.join(OPERATORS)} and a value", hint)
            return None
        pairs: list[tuple[str, Scalar]] = []
        for sign, bound in test.items():
            if sign in _ORDER and all(leaf.kind == "other" for leaf in leaves):
                hint = f"write {{{self.name}: {keys.show(list(leaves[0].choices[:2]))}}}"
                self.problem(f"{self.name} is not a number and cannot be {sign} anything", leaves[0].allowed, hint)
                return None
            pairs.append((sign, self._value(bound, leaves)))
        return Condition(self.name, comparisons=tuple(pairs))

    def _value(self, value: Any, leaves: tuple[keys.Key, ...]) -> Any:
        for leaf in leaves:
            if leaf.accepts(value):
                return leaf.check(value)
        choices = [str(choice) for leaf in leaves for choice in leaf.choices]
        allowed = ", ".join(dict.fromkeys(choices)) or leaves[0].allowed
        self.problem(f"{self.name} can never be {keys.show(value)}", allowed, nearest.hint(str(value), choices))
        return None


def _same(left: Scalar, right: Scalar) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _compare(sign: str, value: Scalar, bound: Scalar) -> bool:
    if sign == "!=":
        return not _same(value, bound)
    return value is not None and bound is not None and _ORDER[sign](value, bound)
