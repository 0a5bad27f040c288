"""What the schema says about each key: its type in words, its default, whether it fixes the shape.

Everything here is derived from the pydantic models of ``sweeper.config.schema``; nothing is written down twice.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, TypeAlias, Union, cast, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from sweeper.config.schema import Config, Node
from sweeper.trial import Scalar

SEARCHED = ("model", "init", "optimizer", "schedule", "training", "augment")
"""Sections of a space whose leaves may be distributions, in the order in which they are drawn."""

NodeType: TypeAlias = type[Node]

_FREE: Any = Scalar | list[Scalar]
"""What may stand under a free name."""


@dataclass(frozen=True)
class Family:
    """A section that is one of several mappings, told apart by one key.

    Attributes:
        tag: the key that tells them apart, ``family`` or ``name``.
        members: the mappings by the value of that key.
        default: the member that is meant when the key is missing.
    """

    tag: str
    members: Mapping[str, NodeType]
    default: str


@dataclass(frozen=True)
class Key:
    """One leaf of the schema.

    Attributes:
        name: the last part of its path.
        allowed: what may stand there, in words.
        kind: ``int`` or ``float`` for a number that may be drawn from a range, else ``other``.
        choices: the words that may stand there, when it is one of a list; else empty.
        default: the schema's default, None also when there is none.
        required: there is no default.
        per_lane: it may differ between trials that share a stack; otherwise it fixes the shape.
        example: what may stand there, where the default is none.
    """

    name: str
    allowed: str
    kind: str
    choices: tuple[Scalar, ...]
    default: Any
    required: bool
    per_lane: bool
    adapter: TypeAdapter[Any]
    example: str = ""

    def check(self, value: Any) -> Any:
        """The value as the schema keeps it (``1`` as ``1.0`` for a float).

        Raises:
            ValueError: it may not stand there.
        """
        try:
            checked = self.adapter.validate_python(value)
        except (ValidationError, OverflowError) as error:
            raise ValueError(self.allowed) from error
        return checked.value if isinstance(checked, Enum) else checked

    def accepts(self, value: Any) -> bool:
        """Whether the value may stand there."""
        try:
            self.check(value)
        except ValueError:
            return False
        return True


def family(node: NodeType, name: str) -> Family | None:
    """The family of mappings under a key, or None when there is no choice of mappings."""
    field = node.model_fields[name]
    if not isinstance(field.discriminator, str):
        return None
    name_of = field.discriminator
    nodes = {str(get_args(node.model_fields[name_of].annotation)[0]): node for node in get_args(field.annotation)}
    return Family(name_of, nodes, str(getattr(field.default, name_of)))


def mapping(node: NodeType, name: str) -> NodeType | None:
    """The model of a plain mapping under a key (``data.split``, ``training``), or None."""
    annotation = node.model_fields[name].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, Node) else None


@cache
def members(section: str) -> Mapping[str, NodeType]:
    """All mappings that may stand under a top-level key, by tag; a plain mapping has the tag ``""``."""
    if found := family(Config, section):
        return found.members
    plain = mapping(Config, section)
    return {} if plain is None else {"": plain}


def tag(section: str, tree: Any) -> str | None:
    """Which member of a section a mapping is meant to be; None when it is no mapping or its tag no text."""
    if not isinstance(tree, dict):
        return None
    found = family(Config, section)
    name = tree.get(found.tag, found.default) if found else ""
    return name if isinstance(name, str) else None


def labels(section: str, options: Sequence[Any]) -> list[str]:
    """What the sub-trees of a choice are called: their tags when these are unique, else their positions."""
    tags = [name for option in options if (name := tag(section, option))]
    return tags if len(set(tags)) == len(options) else [str(index) for index in range(len(options))]


@cache
def free(node: NodeType) -> str | None:
    """The key of a member whose value is a mapping of anybody's names (``params`` of a custom model); None when it has none."""
    return next((name for name, field in node.model_fields.items() if get_origin(field.annotation) is dict), None)


def has(node: NodeType, name: str) -> bool:
    """Whether a member has this leaf: ``width``; ``params.width`` whatever stands after the dot."""
    above, dot, below = name.partition(".")
    return bool(below) and above == free(node) if dot else name in node.model_fields


@cache
def key(node: NodeType, name: str) -> Key:
    """What the schema says about a leaf."""
    if "." in name:
        return _free_key(name)
    field = node.model_fields[name]
    adapter: TypeAdapter[Any] = TypeAdapter(
        cast("Any", Annotated)[field.annotation, field], config=ConfigDict(strict=True, allow_inf_nan=False)
    )
    default = field.default.value if isinstance(field.default, Enum) else field.default
    allowed, choices = _words(adapter.json_schema())
    extra = field.json_schema_extra
    return Key(
        name=name,
        allowed=allowed,
        kind=_kind(field),
        choices=choices,
        default=None if field.is_required() else default,
        required=field.is_required(),
        per_lane=isinstance(extra, dict) and extra.get("per_lane") is True,
        adapter=adapter,
        example=str((field.examples or [""])[0]),
    )


@cache
def leaf(path: str) -> tuple[Key, ...]:
    """The leaf under a dotted path of a searched section, one per family member that has it; empty when unknown."""
    section, _, name = path.partition(".")
    if section not in SEARCHED:
        return ()
    return tuple(key(node, name) for node in members(section).values() if has(node, name))


@cache
def searched_paths() -> tuple[str, ...]:
    """Dotted paths of all leaves that may be searched or named in ``when`` and ``forbid``, but for those with free names."""
    paths = (
        f"{section}.{name}"
        for section in SEARCHED
        for node in members(section).values()
        for name in node.model_fields
        if name != free(node)
    )
    return tuple(dict.fromkeys(paths))


def tested(section: str, name: str) -> bool:
    """Whether a leaf is what the learning-rate range test finds a bracket for, so that ``auto`` may stand there."""
    return (section, name) == ("optimizer", "lr")


def _free_key(name: str) -> Key:
    return Key(
        name=name,
        allowed="a number, text, true, false, null, or a list of these",
        kind="float",  # of which ranges of whole numbers are drawn, too
        choices=(),
        default=None,
        required=False,
        per_lane=False,
        adapter=TypeAdapter(_FREE, config=ConfigDict(strict=True, allow_inf_nan=False)),
        example="64",
    )


def show(value: Any) -> str:
    """A value as one would write it in YAML."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{k}: {show(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(show, value)) + "]"
        case _:
            return str(value)


def found(value: Any) -> str:
    """What stands there, for a sentence; long values are cut."""
    text = show(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return f"{text}, which is yes or no"
        case str():
            return f'the text "{text}"'
        case list():
            return f"the list {text}"
        case dict():
            return f"the mapping {text}"
        case _:
            return text


def _kind(field: FieldInfo) -> str:
    plain = [part for part in _parts(field.annotation) if part is not type(None)]
    if plain == [int]:
        return "int"
    return "float" if plain == [float] else "other"


def _parts(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _words(schema: dict[str, Any]) -> tuple[str, tuple[Scalar, ...]]:
    """A JSON schema in words, and the values that it lists."""
    if "$ref" in schema:
        schema = schema["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    match schema:
        case {"enum": values}:
            return " or ".join([", ".join(map(show, values[:-1])), show(values[-1])]).removeprefix(" or "), tuple(values)
        case {"const": value}:
            return show(value), (value,)
        case {"anyOf": parts}:
            pairs = [_words(part) for part in parts]
            return " or ".join(text for text, _ in pairs), tuple(value for _, values in pairs for value in values)
        case {"type": "integer"}:
            return "a whole number" + _bounds(schema), ()
        case {"type": "number"}:
            return "a number" + _bounds(schema), ()
        case {"type": "boolean"}:
            return "true or false", ()
        case {"type": "null"}:
            return "null", ()
        case {"type": "string", "pattern": _}:
            return "1 to 63 of a-z, 0-9, dot, underscore and dash, beginning with a letter or digit", ()
        case {"type": "array", "items": items}:
            return f"a list{' of one or more' if schema.get('minItems') else ''}, each item {_words(items)[0]}", ()
        case {"type": "object"}:
            return "a mapping", ()
        case _:
            return "text", ()


def _bounds(schema: dict[str, Any]) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    lower = f"at least {low}" if low is not None else f"above {above}" if above is not None else ""
    upper = f"at most {high}" if high is not None else f"below {below}" if below is not None else ""
    return " " + " and ".join(part for part in (lower, upper) if part) if lower or upper else ""
