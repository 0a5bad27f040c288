"""The schema of a space file as JSON Schema (draft 2020-12), so that editors complete and check it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sweeper.config import keys
from sweeper.config.conditions import OPERATORS
from sweeper.config.parse_distribution import AUTO
from sweeper.config.schema import Config

_SCALAR = {"type": ["boolean", "number", "string", "null"]}
_FREE = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}
_CONDITION = {
    "description": "a value, a list of values, or comparisons such as {'>=': 3}",
    "anyOf": [
        _SCALAR,
        {"type": "array", "items": _SCALAR, "minItems": 1},
        {
            "type": "object",
            "properties": dict.fromkeys(OPERATORS, _SCALAR),
            "additionalProperties": False,
            "minProperties": 1,
        },
    ],
}
_CONDITIONS = {
    "type": "object",
    "description": "dotted keys and the values that they must have",
    "propertyNames": {"anyOf": [{"enum": list(keys.searched_paths())}, {"pattern": "^model\\.params\\."}]},
    "additionalProperties": {"$ref": "#/$defs/Condition"},
    "minProperties": 1,
}


def space_json_schema() -> dict[str, Any]:
    """The schema of a space: the config's, where leaves of the searched sections may be distributions.

    Returns:
        A JSON Schema document of draft 2020-12.
    """
    schema = Config.model_json_schema()
    defs, properties = schema["$defs"], schema["properties"]
    for node in [schema, *defs.values()]:
        node.pop("title", None)
        for leaf in node.get("properties", {}).values():
            leaf.pop("title", None)
    for section in keys.SEARCHED:
        family = keys.family(Config, section)
        for tag, member in keys.members(section).items():
            definition = defs[member.__name__]
            fixed = (family.tag,) if family else ("seed",)  # a trial's seed is drawn by the sweep
            free = keys.free(member)
            definition["properties"] = {
                name: leaf if name in (*fixed, free) else _searchable(leaf, keys.key(member, name).kind, auto=keys.tested(section, name))
                for name, leaf in definition["properties"].items()
            }
            if free is not None:
                named = {"propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}, "additionalProperties": _searchable(_FREE, "float")}
                definition["properties"][free] |= named
            if family and tag != family.default:  # without a tag the default member is meant
                definition["required"] = [family.tag, *definition.get("required", [])]
        properties[section] = _section(section)
    properties["forbid"]["items"] = {"$ref": "#/$defs/Conditions"}
    defs["Condition"], defs["Conditions"] = deepcopy(_CONDITION), deepcopy(_CONDITIONS)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A search space: a config in which some leaves are distributions",
        **{name: part for name, part in schema.items() if name not in ("description", "$defs")},
        "$defs": defs,
    }


def _searchable(leaf: dict[str, Any], kind: str, *, auto: bool = False) -> dict[str, Any]:
    """The leaf itself, or a distribution over it; ``auto``: also the bracket of a range test."""
    about: dict[str, Any] = {name: leaf[name] for name in ("description", "default") if name in leaf}
    plain = {name: part for name, part in leaf.items() if name not in (*about, "per_lane")}
    forms = [plain, _distribution("choice", {"type": "array", "items": plain, "minItems": 2, "uniqueItems": True}, plain)]
    pair = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    whole = {**pair, "items": {"type": "integer"}}
    if kind == "float":
        forms.append(_distribution("uniform", {**pair, "description": "low and high, both inclusive"}, plain))
        forms.append(_distribution("log", {**pair, "description": "low and high, every order of magnitude equally likely"}, plain))
    if auto:
        forms.append({"const": AUTO, "description": "the bracket of a learning-rate range test"})
        own = {"anyOf": [{**pair, "description": "low and high that the bracket is cut to"}, {"type": "null"}]}
        forms.append(_distribution(AUTO, own, plain))
    if kind != "other":
        form = _distribution("int", {**whole, "description": "low and high, both inclusive"}, plain)
        form["properties"]["log"] = {"type": "boolean", "description": "every order of magnitude equally likely"}
        form["properties"]["step"] = {"type": "integer", "minimum": 1}
        forms.append(form)
    return {**about, "anyOf": forms}


def _distribution(kind: str, values: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            kind: values,
            "default": {**plain, "description": "value of the default config"},
            "when": {"$ref": "#/$defs/Conditions", "description": "search it only then; otherwise it takes the schema's default"},
        },
        "required": [kind],
        "additionalProperties": False,
    }


def _section(name: str) -> dict[str, Any]:
    """A mapping of the section, or a choice of several."""
    trees: list[dict[str, Any]] = [{"$ref": f"#/$defs/{node.__name__}"} for node in keys.members(name).values()]
    choice = {
        "type": "object",
        "properties": {
            "choice": {"type": "array", "items": {"anyOf": trees}, "minItems": 2},
            "default": {"type": "string", "description": "name of the mapping in the default config"},
            "when": {"$ref": "#/$defs/Conditions"},
        },
        "required": ["choice"],
        "additionalProperties": False,
    }
    return {"anyOf": [*trees, choice]}
