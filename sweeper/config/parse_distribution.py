"""``{uniform: [0.0, 0.5]}`` and its like: from the mapping in the file to a distribution that fits its key."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from sweeper.config import keys, nearest
from sweeper.config.distributions import Auto, Choice, Distribution, Int, Log, Uniform
from sweeper.config.keys import Key
from sweeper.config.located import Located
from sweeper.config.strict_yaml import KeyPath

KINDS: Mapping[str, str] = {
    "uniform": "{uniform: [0.0, 0.5]}",
    "log": "{log: [1e-4, 1e-1]}",
    "int": "{int: [1, 4]}",
    "choice": "{choice: [64, 128]}",
}
"""Each distribution, and how it is written."""
ALLOWED_KINDS = " or ".join(KINDS.values())
AUTO = "auto"
"""The word for the range test's bracket; with the user's own range, the name of a distribution."""
_AUTO_WRITTEN = "{auto: [1e-4, 1e-1]}"
_LARGEST = 2**53  # beyond it float64, and with it every sampler, skips whole numbers
_BESIDE = ("default", "when")
_SPOKEN = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}


def kinds(tree: Mapping[str, Any]) -> list[str]:
    """Which distributions a mapping names; ``log: true`` beside ``int`` is a scale, not a distribution."""
    return [kind for kind in KINDS if kind in tree and not (kind == "log" and "int" in tree)]


def parse(located: Located, path: KeyPath, tree: Mapping[str, Any], leaf: Key) -> Distribution | None:
    """The distribution of a leaf; None when there are problems, which are then noted in ``located``."""
    if AUTO in tree:
        return _auto(located, path, tree, leaf)
    named = kinds(tree)
    if len(named) != 1:
        _not_one(located, path, tree, leaf, named)
        return None
    kind = named[0]
    beside = (*_BESIDE, "log", "step") if kind == "int" else _BESIDE
    known = True
    for name in tree:
        if name != kind and name not in beside:
            known = False
            hint = nearest.hint(name, beside) or ("step belongs to {int: [...]} only" if name == "step" else "delete it")
            located.problem(path, f'unknown key "{name}" beside {kind}', ", ".join(beside), hint, at=(*path, name))
    if kind == "choice":
        distribution: Distribution | None = _choice(located, path, tree["choice"], leaf)
    else:
        distribution = _range(located, path, kind, tree, leaf)
    return distribution if known else None


def _auto(located: Located, path: KeyPath, tree: Mapping[str, Any], leaf: Key) -> Auto | None:
    """``auto``, alone or with a range of the user's; None when there are problems, which are then noted in ``located``.

    Args:
        located: the file.
        path: of the leaf.
        tree: what stands there; the word alone is ``{auto: null}``.
        leaf: what the schema says about it.
    """
    if not keys.tested(str(path[0]), leaf.name):
        hint = "write optimizer: {lr: auto}" if leaf.kind == "float" else f"write {leaf.name}: {example(leaf)}"
        found = f"auto, and only optimizer.lr has a range test, not {path[0]}.{leaf.name}"
        located.problem(path, found, f"{leaf.allowed}, or {ALLOWED_KINDS}", hint, at=path)
        return None
    unknown = [name for name in tree if name not in (AUTO, *_BESIDE)]
    for name in unknown:
        two = f"two distributions, auto and {name}" if name in KINDS else f'unknown key "{name}" beside auto'
        hint = nearest.hint(name, _BESIDE) or f"keep one: lr: {_AUTO_WRITTEN} cuts the bracket to a range of yours"
        located.problem(path, two, ", ".join(_BESIDE), hint, at=(*path, name))
    if tree[AUTO] is None:
        return None if unknown else Auto(leaf.default)
    own = _range(located, path, AUTO, tree, leaf)
    return Auto(leaf.default, own.ends()) if isinstance(own, Log) and not unknown else None


def _not_one(located: Located, path: KeyPath, tree: Mapping[str, Any], leaf: Key, named: list[str]) -> None:
    if named:
        located.problem(path, f"two distributions, {' and '.join(named)}", "one", f"keep one of {ALLOWED_KINDS}")
        return
    words = [name for name in tree if name not in _BESIDE]
    hint = next((hint for word in words if (hint := nearest.hint(word, KINDS))), f"write {leaf.name}: {example(leaf)}")
    found = f'unknown distribution "{words[0]}"' if words else f"{keys.found(dict(tree))} names no distribution"
    located.problem(path, found, f"{leaf.allowed}, or {ALLOWED_KINDS}", hint, at=(*path, words[0]) if words else path)


def example(leaf: Key) -> str:
    """A value that may stand at the leaf."""
    if leaf.example:
        return leaf.example
    return keys.show(leaf.default if leaf.default is not None or not leaf.choices else leaf.choices[0])


def _choice(located: Located, path: KeyPath, options: Any, leaf: Key) -> Choice | None:
    at = (*path, "choice")
    if not isinstance(options, list) or len(options) < 2:
        found = {0: "an empty choice", 1: "a choice of one"}[len(options)] if isinstance(options, list) else keys.found(options)
        hint = (
            f"write {leaf.name}: {keys.show(options[0])}"
            if isinstance(options, list) and options
            else f"write {leaf.name}: {{choice: [...]}}"
        )
        located.problem(path, found, "a list of two or more values", hint, at=at)
        return None
    sorts = {_sort(option) for option in options} - {"null"}
    if len(sorts) > 1 and sorts != {"whole numbers", "numbers"}:
        located.problem(
            path,
            f"a choice that mixes {' and '.join(sorted(sorts))}",
            f"only values of one sort: {leaf.allowed}",
            _unquoted(options, leaf),
            at=at,
        )
        return None
    if sorts == {"lists"} and all(map(leaf.accepts, options)):
        trees = ", ".join(f"{{..., {leaf.name}: {keys.show(option)}}}" for option in options)
        hint = f"write {path[0]}: {{choice: [{trees}]}}"
        located.problem(path, "lists cannot be drawn one by one", "a choice of whole mappings, each with its list", hint, at=at)
        return None
    checked: list[Any] = []
    good = True
    for index, option in enumerate(options):
        here = (*at, index)
        if not leaf.accepts(option):
            good = False
            located.problem(path, keys.found(option), leaf.allowed, value_hint(leaf, option), at=here)
            continue
        value = leaf.check(option)
        if any(type(value) is type(other) and value == other for other in checked):
            good = False
            located.problem(path, f"{keys.show(option)} stands twice in the choice", "each value once", "delete one of the two", at=here)
        checked.append(value)
    return Choice(tuple(checked)) if good else None


def _range(located: Located, path: KeyPath, kind: str, tree: Mapping[str, Any], leaf: Key) -> Distribution | None:
    at = (*path, kind)
    bounds = tree[kind]
    if leaf.kind == "other":
        several = [value for value in leaf.choices if value is not None]
        options = several or ([True, False] if leaf.accepts(True) else [])
        hint = f"write {leaf.name}: {{choice: {keys.show(options)}}}" if options else f"write {leaf.name}: {example(leaf)}"
        located.problem(path, f"a range, but {leaf.name} is not a number", leaf.allowed, hint, at=at)
        return None
    if not isinstance(bounds, list) or len(bounds) != 2:
        located.problem(path, keys.found(bounds), "a list of two bounds, low and high", f"write {leaf.name}: {_written(kind)}", at=at)
        return None
    if leaf.kind == "int" and kind != "int":
        scale = ", log: true" if kind == "log" else ""
        fix = [_whole(bound) for bound in bounds]
        located.problem(
            path,
            f"{kind} draws fractions, but {leaf.name} is a whole number",
            leaf.allowed,
            f"write {{int: {keys.show(fix)}{scale}}}",
            at=at,
        )
        return None
    usable = [_bound(located, (*path, kind, index), bound, leaf) for index, bound in enumerate(bounds)]  # both ends are judged
    if not all(usable):
        return None
    low, high = bounds
    if low >= high:
        found = f"low and high are both {keys.show(low)}" if low == high else f"low {keys.show(low)} is above high {keys.show(high)}"
        hint = f"write {leaf.name}: {keys.show(low)}" if low == high else f"write {{{kind}: {keys.show([high, low])}}}"
        located.problem(path, found, "low below high", hint, at=at)
        return None
    if kind == "int":
        return _int(located, path, tree, low, high)
    return Log(float(low), float(high)) if kind in ("log", AUTO) else Uniform(float(low), float(high))


def _written(kind: str) -> str:
    """How a distribution is written."""
    return _AUTO_WRITTEN if kind == AUTO else KINDS[kind]


def _bound(located: Located, at: KeyPath, bound: Any, leaf: Key) -> bool:
    """Whether the bound at ``(..., kind, 0 or 1)`` is a number that the leaf may be and the kind can use."""
    path, kind, end = at[:-2], str(at[-2]), "high" if at[-1] else "low"
    number = isinstance(bound, int | float) and not isinstance(bound, bool)
    if not number:
        located.problem(path, f"{end} is {keys.found(bound)}", "a number", value_hint(leaf, bound), at=at)
    elif not math.isfinite(bound):
        located.problem(path, f"{end} is not finite", "a finite number", f"write {leaf.name}: {_written(kind)}", at=at)
    elif kind == "int" and not isinstance(bound, int):
        hint = value_hint(leaf, bound) if leaf.kind == "int" else "write {uniform: [...]} for fractions"
        located.problem(path, f"{end} is {keys.found(bound)}", "a whole number", hint, at=at)
    elif kind == "int" and abs(bound) > _LARGEST:
        located.problem(
            path, f"{end} is {keys.found(bound)}", f"a whole number up to {_LARGEST}", "write {log: [...]} for large ranges", at=at
        )
    elif kind == "log" and bound <= 0:
        located.problem(
            path, f"{end} is {keys.show(bound)}, which has no logarithm", "a number above 0", "write {log: [1e-5, 1e-1]}, or uniform", at=at
        )
    elif not leaf.accepts(bound):
        located.problem(path, f"{end} is {keys.show(bound)}", leaf.allowed, "", at=at)
    else:
        return True
    return False


def _int(located: Located, path: KeyPath, tree: Mapping[str, Any], low: int, high: int) -> Int | None:
    log, step = tree.get("log", False), tree.get("step", 1)
    good = True
    if not isinstance(log, bool):
        good = False
        located.problem(path, f"log is {keys.found(log)}", "true or false", "write {int: [16, 512], log: true}", at=(*path, "log"))
    elif log and low <= 0:
        good = False
        located.problem(
            path,
            f"low is {low}, which has no logarithm",
            "a whole number above 0",
            "write {int: [1, 512], log: true}",
            at=(*path, "int", 0),
        )
    if isinstance(step, bool) or not isinstance(step, int) or step < 1 or step > high - low:
        good = False
        located.problem(
            path,
            f"step is {keys.found(step)}",
            f"a whole number from 1 to {high - low}",
            "write {int: [2, 8], step: 2}",
            at=(*path, "step"),
        )
    elif log is True and "step" in tree:
        good = False
        located.problem(path, "step together with log", "one of the two", "delete step or log", at=(*path, "step"))
    return Int(low, high, step, log) if good else None


def value_hint(leaf: Key, value: Any) -> str:
    """How to write what was probably meant by a value that may not stand at the leaf."""
    if isinstance(value, str):
        if leaf.kind != "other" and (number := _read_number(value)) is not None and leaf.accepts(number):
            return f"write {keys.show(number)} without quotes"
        if hint := nearest.hint(value, [str(choice) for choice in leaf.choices]):
            return hint
        if leaf.accepts(True) and value.lower() in _SPOKEN:
            return f"write {leaf.name}: {keys.show(_SPOKEN[value.lower()])}"
        if leaf.accepts(slug := re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")):
            return f"write {leaf.name}: {slug}"
    if isinstance(value, float) and math.isfinite(value) and value == int(value) and leaf.accepts(int(value)):
        return f"write {leaf.name}: {int(value)}"
    if isinstance(value, list) and len(value) > 1 and all(map(leaf.accepts, value)):
        return f"to search over these write {leaf.name}: {{choice: {keys.show(value)}}}"
    if not isinstance(value, dict | list | str) and leaf.accepts(str(value)):
        return f'write {leaf.name}: "{keys.show(value)}"'
    if leaf.accepts([value]):
        return f"write {leaf.name}: [{keys.show(value)}]"
    return f"write {leaf.name}: {example(leaf)}"


def _read_number(text: str) -> float | int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number == int(number) and "." not in text and "e" not in text.lower() else number


def _unquoted(options: list[Any], leaf: Key) -> str:
    fixed = [_read_number(option) if isinstance(option, str) else option for option in options]
    if leaf.kind != "other" and all(option is not None and leaf.accepts(option) for option in fixed):
        return f"write {{choice: {keys.show(fixed)}}}"
    return ""


def _sort(option: Any) -> str:
    match option:
        case None:
            return "null"
        case bool():
            return "yes/no"
        case int():
            return "whole numbers"
        case float():
            return "numbers"
        case str():
            return "text"
        case dict():
            return "mappings"
        case _:
            return "lists"


def _whole(bound: Any) -> Any:
    return int(bound) if isinstance(bound, float) and math.isfinite(bound) else bound
