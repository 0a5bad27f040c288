from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.ledger.codec import clean, decode, encode

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=12)


def bits(tree: object) -> object:
    """The tree with every float as its bytes (all nan being one), so that equality means the same bits."""
    if isinstance(tree, float):
        return "nan" if math.isnan(tree) else struct.pack("<d", tree)
    if isinstance(tree, Mapping):
        return {key: bits(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [bits(value) for value in tree]
    return type(tree), tree


@given(TREES)
def test_every_tree_comes_back_bit_for_bit(tree: object) -> None:
    """Floats keep every bit, nan and the infinities included, and nothing changes its type."""
    assert bits(decode(encode(tree))) == bits(tree)


@given(TREES)
def test_the_text_is_json_that_any_reader_accepts(tree: object) -> None:
    """No NaN, Infinity or raw NUL ever stands in the text."""

    def refuse(name: str) -> float:
        raise AssertionError(name)

    json.loads(encode(tree), parse_constant=refuse)
    assert "\0" not in encode(tree)


def test_a_read_only_mapping_is_written_like_a_dict() -> None:
    """A frozen trial may hold its values in a mapping proxy."""
    assert decode(encode(MappingProxyType({"a": MappingProxyType({"b": math.inf})}))) == {"a": {"b": math.inf}}


def test_what_is_not_json_is_refused() -> None:
    """An object that would have to be pickled never enters the ledger."""
    with pytest.raises(TypeError, match="object is not JSON"):
        encode({"a": object()})


@given(st.text(st.characters(exclude_categories=())))
def test_cleaned_text_is_accepted_everywhere(text: str) -> None:
    """Neither NUL nor half a surrogate pair is left; ordinary text is untouched."""
    cleaned = clean(text)
    assert "\0" not in cleaned
    cleaned.encode("utf-8")
    if "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert cleaned == text
