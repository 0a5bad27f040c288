"""Plain data as YAML that reads back bit for bit, here and in other readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from sweeper.config.scalars import FLOAT


class _Dumper(yaml.SafeDumper):
    """Block style, keys in their order, no aliases; lists of scalars stay on one line."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's signature
        """Shared values are written out: an alias is an error when read."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - the base class's signature
        """Indent lists below their key."""
        super().increase_indent(flow, False)


def _list(dumper: yaml.SafeDumper, data: list[Any] | tuple[Any, ...]) -> yaml.Node:
    plain = not any(isinstance(item, dict | list | tuple) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)


_Dumper.add_representer(list, _list)
_Dumper.add_representer(tuple, _list)
# Text such as "1e-4" is a number in YAML 1.2 and text in YAML 1.1: quote what is a number to either.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))


_written: dict[str, str] = {}
_MOST_WRITTEN = 1000
"""Sections that are kept: the configs of a sweep share most of theirs, and writing one by PyYAML takes 0.3 ms."""


def dump(tree: Mapping[str, Any]) -> str:
    """Write a mapping as block YAML; floats are written with ``repr``, so that they read back bit for bit."""
    return "".join(_section({key: value}) for key, value in tree.items()) or "{}\n"


def _section(part: dict[str, Any]) -> str:
    """One key of the mapping with all below it; equal ones are written once."""
    same = repr(part)
    if same not in _written:
        if len(_written) >= _MOST_WRITTEN:
            _written.clear()
        _written[same] = yaml.dump(part, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000)
    return _written[same]
