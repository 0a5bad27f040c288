"""Distributions: what they contain, their middle and how they are written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.config.distributions import Choice, Distribution, Int, Log, Uniform, values
from sweeper.trial import Scalar


@pytest.mark.parametrize(
    ("distribution", "inside", "outside"),
    [
        (Uniform(0.0, 0.5), [0.0, 0.25, 0.5], [-0.1, 0.6, math.nan, math.inf, True, "0.1", None]),
        (Log(1e-4, 1e-2), [1e-4, 1e-3, 1e-2], [0.0, 1.0, False]),
        (Int(1, 7, step=3), [1, 4, 7], [2, 8, 1.0, True]),
        (Int(16, 512, log=True), [16, 17, 512], [15, 513, None]),
        (Choice((1, 2)), [1, 2], [True, 1.0, 3, "1"]),
        (Choice((None, 0.5, "a", True)), [None, 0.5, "a", True], [1, False, "b"]),
    ],
)
def test_a_distribution_knows_its_values(distribution: Distribution, inside: list[Scalar], outside: list[Scalar]) -> None:
    """Bounds are inclusive, steps count from low, and true is not 1."""
    assert all(map(distribution.contains, inside))
    assert not any(map(distribution.contains, outside))


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 50))
def test_the_middle_and_the_ends_can_be_drawn(low: int, width: int, step: int) -> None:
    """The default of a range is one of its values, whatever the rounding."""
    for distribution in (Int(low, low + width, min(step, width)), Int(low, low + width, log=True)):
        assert distribution.contains(distribution.middle())
        assert all(map(distribution.contains, distribution.ends()))
    for scale in (1e-300, 1e-3, 1e300):
        for ranged in (Uniform(low * scale, (low + width) * scale), Log(low * scale, (low + width) * scale)):
            assert ranged.contains(ranged.middle())


def test_the_middle_follows_the_scale() -> None:
    """Arithmetic for uniform and int, geometric for log, the first option for a choice."""
    assert Uniform(0.0, 0.5).middle() == 0.25
    assert Log(1e-4, 1e-2).middle() == pytest.approx(1e-3)
    assert Int(1, 4).middle() == 2
    assert Int(16, 1024, log=True).middle() == 128
    assert Choice(("b", "a")).middle() == "b"


def test_only_whole_numbers_and_choices_are_counted() -> None:
    """A range of fractions has no list of values."""
    assert list(values(Int(1, 7, step=3)) or ()) == [1, 4, 7]
    assert values(Choice(("a", "b"))) == ("a", "b")
    assert values(Uniform(0.0, 1.0)) is None
    assert values(Log(0.1, 1.0)) is None


def test_a_distribution_is_written_as_in_a_file() -> None:
    """What is shown and stored is what one would type."""
    assert Int(1, 9, step=2).tree() == {"int": [1, 9], "step": 2}
    assert Int(1, 9, log=True).tree() == {"int": [1, 9], "log": True}
    assert Log(0.1, 1.0).tree() == {"log": [0.1, 1.0]}
    assert Uniform(0.1, 1.0).tree() == {"uniform": [0.1, 1.0]}
    assert Choice((1, 2)).tree() == {"choice": [1, 2]}
