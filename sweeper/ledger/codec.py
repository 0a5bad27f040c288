"""Trees as text: JSON that keeps every float to the last bit, and text that every database accepts.

JSON has no word for nan and the infinities, and PostgreSQL's JSON type refuses Python's dialect of it. So the columns are
plain text, and a non-finite float is written as ``{"$float": "nan"}``: any JSON reader can read it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

TAG = "$float"
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode(tree: Any) -> str:
    """JSON text of a tree of mappings, lists, strings, numbers, booleans and None.

    Raises:
        TypeError: something else is in the tree (an array, a tensor, a path).
    """
    try:
        return json.dumps(tree, allow_nan=False, separators=(",", ":"), default=_mapping)
    except ValueError:  # somewhere in it is a float that JSON cannot say
        return json.dumps(_tagged(tree), allow_nan=False, separators=(",", ":"))


def decode(text: str) -> Any:
    """The tree that ``encode`` was given; floats are equal bit for bit."""
    return json.loads(text, object_hook=_untag) if TAG in text else json.loads(text)


def clean(text: str) -> str:
    """The text without what a database refuses: NUL and lone surrogates are spelled out (an exception's message may hold anything)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON: {value!r}")


def _tagged(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {TAG: "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    if isinstance(value, Mapping):
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(item) for item in value]
    return value


def _untag(item: dict[str, Any]) -> Any:
    return _NON_FINITE[item[TAG]] if item.keys() == {TAG} and item[TAG] in _NON_FINITE else item
