"""``--set key=value``: one more line for the file, written on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from sweeper.config import keys, nearest
from sweeper.config.located import Located
from sweeper.config.schema import Config
from sweeper.config.strict_yaml import Document, KeyPath, load_value
from sweeper.errors import InputError


def apply(document: Document, overrides: Sequence[str]) -> Located:
    """The document with every ``key=value`` written into it, later ones over earlier ones.

    Problems with a key or a value are noted, not raised, so that they are told together with the file's.
    """
    located = Located(document.source, deepcopy(document.data), dict(document.positions))
    for override in overrides:
        _apply(located, override)
    return located


@dataclass(frozen=True)
class _Nowhere:
    """Why the schema or the file has no place for an override."""

    found: str
    allowed: str
    hint: str


def _apply(located: Located, override: str) -> None:
    option = f"--set {override}"
    name, equals, text = override.partition("=")
    path = tuple(name.strip().split("."))
    located.options[(option,)] = option  # problems of the option itself are found under this name
    if not equals or not name.strip():
        located.problem((), "no key=value", "", "write --set training.epochs=10", at=(option,))
        return
    try:
        value = load_value(text, option)
    except InputError as error:
        located.problems.extend(error.problems)
        return
    places = _places(located.tree, path, value)
    if isinstance(places, _Nowhere):
        located.problem(path, places.found, places.allowed, places.hint, at=(option,))
        return
    for place, placed in places:
        located.written(place, placed, option)


def _places(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> list[tuple[KeyPath, Any]] | _Nowhere:
    """Where the value goes, and what is put there; a hint when the schema has no such key."""
    section, rest = path[0], path[1:]
    if section not in Config.model_fields:
        return _unknown(section, Config.model_fields)
    if not rest:
        return [(path, value)]
    if section not in keys.SEARCHED:
        return _plain_place(path, value)
    there = tree.get(section)
    if isinstance(there, dict) and isinstance(there.get("choice"), list):
        return _choice_places(section, there["choice"], rest, value)
    if not any(keys.has(node, ".".join(rest)) for node in keys.members(section).values()):
        return _unknown(".".join(path), [f"{section}.{name}" for node in keys.members(section).values() for name in node.model_fields])
    return [(path, value)]


def _plain_place(path: tuple[str, ...], value: Any) -> list[tuple[KeyPath, Any]] | _Nowhere:
    node: keys.NodeType | None = Config
    for depth, part in enumerate(path):
        if node is None:
            return _Nowhere(f'unknown key "{".".join(path)}"', "", f'"{".".join(path[:depth])}" has no keys below it')
        if part not in node.model_fields:
            prefix = ".".join(path[:depth])
            return _unknown(".".join(path[: depth + 1]), [f"{prefix}.{name}" for name in node.model_fields])
        node = keys.mapping(node, part)
    return [(path, value)]


def _choice_places(section: str, options: list[Any], rest: tuple[str, ...], value: Any) -> list[tuple[KeyPath, Any]] | _Nowhere:
    """Into each sub-tree that knows the key; setting the tag (``optimizer.name=sgd``) keeps the sub-tree of that name only."""
    family, members = keys.family(Config, section), keys.members(section)
    tags = [keys.tag(section, option) for option in options]
    if family is not None and rest == (family.tag,):
        kept = [option for option, tag in zip(options, tags, strict=True) if tag == value]
        if not kept:
            named = [tag for tag in tags if tag is not None]
            found = f"none of the choices has {family.tag}: {keys.show(value)}"
            return _Nowhere(found, ", ".join(named), nearest.hint(str(value), named))
        return [((section,), kept[0] if len(kept) == 1 else {"choice": kept})]
    nodes = [None if tag is None else members.get(tag) for tag in tags]
    places: list[tuple[KeyPath, Any]] = []
    for index, (node, own) in enumerate(zip(nodes, keys.labels(section, options), strict=True)):
        name = rest[1:] if rest[0] == own and len(rest) > 1 else rest
        if node is not None and keys.has(node, ".".join(name)):
            places.append(((section, "choice", index, *name), value))
    known = [f"{section}.{name}" for node in nodes if node is not None for name in node.model_fields]
    return places or _unknown(".".join((section, *rest)), known)


def _unknown(name: str, known: Iterable[str]) -> _Nowhere:
    known = list(dict.fromkeys(known))
    return _Nowhere(f'unknown key "{name}"', ", ".join(known), nearest.hint(name, known))
