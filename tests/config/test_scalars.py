"""YAML 1.2 core scalars."""

from __future__ import annotations

import math

import pytest

from sweeper.config.scalars import AmbiguousScalarError, resolve
from sweeper.trial import Scalar


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("+1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0", 0),
        ("42", 42),
        ("0o17", 15),
        ("0xff", 255),
        ("~", None),
        ("", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("1e", "1e"),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        (".", "."),
        ("0b101", "0b101"),
        ("relu", "relu"),
    ],
)
def test_a_word_means_what_yaml_1_2_says(word: str, value: Scalar) -> None:
    """Numbers, booleans, null and text are those of the YAML 1.2 core schema."""
    resolved = resolve(word)
    assert resolved == value
    assert type(resolved) is type(value)


def test_infinity_and_nan_are_numbers() -> None:
    """What no key may hold is still read as what it is, so that the message can say so."""
    assert resolve("-.inf") == -math.inf
    assert resolve(".INF") == math.inf
    assert math.isnan(resolve(".nan"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "word", ["010", "-007", "1:30", "12:30:45", "1_000", "2024-01-01", "2024-01-01T00:00:00Z", "1e999", "1" + "0" * 5000]
)
def test_a_word_that_readers_disagree_on_is_refused(word: str) -> None:
    """An ambiguous number is an error that says how to write what was meant."""
    with pytest.raises(AmbiguousScalarError) as error:
        resolve(word)
    assert error.value.hint.startswith("write ")
