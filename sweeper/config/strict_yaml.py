"""YAML as plain data: positions for every key, and an error for everything that could surprise.

The file is read from PyYAML's event stream and never through a constructor, so nothing in it can make an object,
an alias bomb has nothing to expand, and nesting is a counter instead of recursion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from yaml.error import MarkedYAMLError

from sweeper.config import scalars
from sweeper.config.text_file import MOST_BYTES, position_of, read_text, too_large
from sweeper.config.yaml_dump import dump
from sweeper.errors import InputError, Problem

__all__ = ["Document", "KeyPath", "Position", "dotted", "dump", "load", "load_file", "load_value", "read_text"]

KeyPath: TypeAlias = tuple[str | int, ...]
Position: TypeAlias = tuple[int, int]

MOST_DEPTH = 20
_UNPRINTABLE = re.compile("[^\\t\\n\\r\\x20-\\x7e\\x85\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_NEVER_TEXT = re.compile("[\\x00\\ud800-\\udfff]")
_TAB_INDENT = re.compile(r"^ *\t\s*[^\s#]", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """A file's data.

    Attributes:
        source: the file's name for messages.
        data: mappings, lists, text, numbers, booleans and None; the top level is a mapping.
        positions: 1-based (line, column) of each key and list item, by path.
    """

    source: str
    data: Any
    positions: Mapping[KeyPath, Position]


def dotted(path: KeyPath) -> str:
    """``("optimizer", "choice", 1, "lr")`` as ``optimizer.choice[1].lr``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def load(text: str, source: str) -> Document:
    """Read a document whose top level is a mapping.

    Raises:
        InputError: with every problem that can be found, each with its line and column.
    """
    reader = _Reader(source)
    reader.read(text)
    if not reader.problems and not isinstance(reader.root, dict):
        found = "the file is empty" if reader.root is None else f"the top level is {_kind(reader.root)}"
        reader.problem(found, "a mapping of keys to values", "write name: mlp", reader.positions.get((), (1, 1)))
    if reader.problems:
        raise InputError(reader.problems)
    return Document(source, reader.root, reader.positions)


def load_value(text: str, source: str) -> Any:
    """Read a single value of any kind, such as the right side of ``--set key=value``.

    Raises:
        InputError: with every problem; there are no positions, as there is no file.
    """
    reader = _Reader(source)
    reader.read(text)
    if reader.problems:
        raise InputError(Problem(source, p.path, p.found, p.allowed, p.hint) for p in reader.problems)
    return reader.root


def load_file(path: Path) -> Document:
    """Read a file.

    Raises:
        InputError: also when the file is missing (naming the nearest), a directory, unreadable, too large or not UTF-8.
    """
    return load(read_text(path), str(path))


@dataclass
class _Frame:
    """A mapping or list that is being read."""

    path: KeyPath
    container: dict[str, Any] | list[Any]
    bracket: Position | None = None  # where a [ or { opened it
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)


class _Stopped(Exception):  # noqa: N818 - not an error of its own: the problem is already noted
    """Nothing after this point can be read sensibly."""


class _Reader:
    """Builds plain data from PyYAML's events, noting positions and problems."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.root: Any = None
        self.positions: dict[KeyPath, Position] = {}
        self.problems: list[Problem] = []
        self._frames: list[_Frame] = []
        self._documents = 0

    def problem(self, found: str, allowed: str, hint: str, position: Position | tuple[None, None], path: str = "") -> None:
        self.problems.append(Problem(self.source, path, found, allowed, hint, *position))

    def read(self, text: str) -> None:
        if self._unreadable(text):
            return
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                self._event(event)
        except _Stopped:
            return
        except MarkedYAMLError as error:
            self._syntax(error)
        except ValueError as error:  # PyYAML's scanner passes on what chr() and int() raise
            self.problem(f"an escape or directive cannot be read: {error}", "", "", (None, None))

    def _unreadable(self, text: str) -> bool:
        """Whether the text as such is refused: size, characters, tabs."""
        if len(text.encode("utf-8", errors="replace")) > MOST_BYTES:
            self.problems.append(too_large(self.source))
        elif match := _UNPRINTABLE.search(text):
            name = "a NUL character" if match.group() == "\0" else f"the unprintable character U+{ord(match.group()):04X}"
            self.problem(name, "printable text", "delete it", position_of(text, match.start()))
        elif tabs := [match.start() + match.group().index("\t") for match in _TAB_INDENT.finditer(text)]:
            more = f" (and {len(tabs) - 1} more)" if len(tabs) > 1 else ""
            self.problem(f"a tab indents the line{more}", "spaces", "indent with two spaces", position_of(text, tabs[0]))
        return bool(self.problems)

    def _event(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._at(_of(event.start_mark), "a second document starts here", "one document in a file", "delete the line ---")
                    raise _Stopped
            case yaml.ScalarEvent():
                self._decorated(event)
                self._place(self._scalar(event), _of(event.start_mark))
            case yaml.AliasEvent():
                self._at(_of(event.start_mark), f"an alias, *{event.anchor}", "plain values", "write the value out")
                self._place(f"*{event.anchor}", _of(event.start_mark))
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._decorated(event)
                self._open({} if isinstance(event, yaml.MappingStartEvent) else [], _of(event.start_mark), bool(event.flow_style))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._frames.pop()
            case _:  # stream start and end, document end
                return

    def _decorated(self, event: yaml.NodeEvent) -> None:
        """Note tags and anchors."""
        tag = getattr(event, "tag", None)
        if tag is not None:
            short = tag.replace("tag:yaml.org,2002:", "!!")
            self._at(_of(event.start_mark), f"a tag, {short}", "plain values", "delete the tag; quote the value if text is meant")
        if event.anchor is not None:
            self._at(_of(event.start_mark), f"an anchor, &{event.anchor}", "plain values", "delete it and write the values out")

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        if event.style is None:
            try:
                return scalars.resolve(event.value)
            except scalars.AmbiguousScalarError as error:
                self._at(_of(event.start_mark), error.found, "", error.hint)
        elif _NEVER_TEXT.search(event.value):
            self._at(_of(event.start_mark), "the text holds an escaped NUL or half a character", "printable text", "delete the escape")
        return event.value

    def _open(self, container: dict[str, Any] | list[Any], position: Position, flow: bool) -> None:
        frame = self._frames[-1] if self._frames else None
        if frame is not None and isinstance(frame.container, dict) and frame.key is None:
            self._at(position, f"a key is {_kind(container)}", "text", "write the key as a word")
            raise _Stopped
        if len(self._frames) >= MOST_DEPTH:
            top = str(self._frames[1].path[0]) if isinstance(self.root, dict) else ""
            found, allowed = f"nesting deeper than {MOST_DEPTH}", f"at most {MOST_DEPTH} levels"
            self.problem(found, allowed, "close the brackets that are open", position, top)
            raise _Stopped
        path = self._place(container, position)
        self._frames.append(_Frame(path, container, position if flow else None))

    def _place(self, value: Any, position: Position) -> KeyPath:
        """Put a value where it belongs, or take it as the next key; returns the value's path."""
        if not self._frames:
            self.root = value
            self.positions[()] = position
            return ()
        frame = self._frames[-1]
        if isinstance(frame.container, list):
            path = (*frame.path, len(frame.container))
            frame.container.append(value)
            self.positions[path] = position
            return path
        if frame.key is None:
            frame.key = self._key(frame, value, position)
            return (*frame.path, frame.key)
        path = (*frame.path, frame.key)
        frame.container[frame.key] = value
        frame.key = None
        return path

    def _key(self, frame: _Frame, value: Any, position: Position) -> str:
        if not isinstance(value, str):
            self._at(position, f"the key is {_kind(value)}", "text", f'write "{_word(value)}": in quotes, if it is meant')
            value = _word(value)
        name = str(value)
        if name == "<<":
            self._at(position, "a merge key, <<", "plain keys", "write the merged keys out")
        elif name in frame.lines:
            found = f'the key "{name}" stands here and on line {frame.lines[name]}'
            self._at(position, found, "each key once", "delete one of the two", name)
        else:
            frame.lines[name] = position[0]
            self.positions[(*frame.path, name)] = position
        return name

    def _at(self, position: Position, found: str, allowed: str, hint: str, key: str | None = None) -> None:
        path: KeyPath = ()
        if self._frames:
            frame = self._frames[-1]
            last = key if key is not None else frame.key
            path = frame.path if last is None else (*frame.path, last)
        self.problem(found, allowed, hint, position, dotted(path))

    def _syntax(self, error: MarkedYAMLError) -> None:
        """What PyYAML could not parse, in words about the file instead of about the parser."""
        said, context = error.problem or "", error.context or ""
        here = _of(error.problem_mark or error.context_mark)
        start = _of(error.context_mark or error.problem_mark)
        if "'\\t'" in said:
            self.problem("a tab", "spaces", "write a space", here)
        elif self._frames and (opened := self._frames[-1].bracket) is not None and "flow" in context:
            bracket, closing = ("[", "]") if isinstance(self._frames[-1].container, list) else ("{", "}")
            found = f"the bracket {bracket} is not closed before line {here[0]}, column {here[1]}"
            self._at(opened, found, "", f"write {closing}, or a missing comma")
        elif "quoted scalar" in context:
            self.problem(f"this quoted text cannot be read: {said}", "", "close the quotes, or use single quotes", start)
        elif "mapping values" in said:
            self.problem("a second colon, or a line indented too far", "key: value", "mend the indentation, or quote the text", here)
        elif "could not find expected ':'" in said:
            self.problem("a line without a colon", "key: value", "write a colon and a space after the key", start)
        else:
            self.problem(f"not YAML: {said}" + (f" ({context})" if context else ""), "", "mend the indentation or the punctuation", here)


def _of(mark: Any) -> Position:
    """PyYAML's 0-based mark; it always sets one, but does not promise to."""
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _kind(value: Any) -> str:
    """What a value is, for a sentence."""
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "empty"
        case bool():
            return "true or false"
        case str():
            return "text"
        case _:
            return "a number"


def _word(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
