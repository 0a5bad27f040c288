"""Keyed random values."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.config.distributions import Choice, Int, Log, Uniform
from sweeper.search import keyed

UNITS = [index / 1000 for index in range(1000)]


def test_a_key_fixes_the_number_for_ever() -> None:
    """The same key gives the same number in every version and on every platform: these are the committed ones."""
    assert keyed.unit(0, "shape", 3, 0, 0, "model.width") == 0.35057440357036185
    assert keyed.seed(0, "training", 17) == 694006546


def test_keys_do_not_run_into_each_other() -> None:
    """Keys that would be equal when written without separators give different numbers."""
    assert keyed.unit(1, 23) != keyed.unit(12, 3)
    assert keyed.unit("a", "b") != keyed.unit("ab")


def test_numbers_are_spread_evenly() -> None:
    """A thousand keys fill ten bins about evenly, and no two give the same number."""
    units = [keyed.unit(0, "scalars", index) for index in range(1000)]
    bins = Counter(int(unit * 10) for unit in units)
    assert len(set(units)) == 1000
    assert all(60 < bins[index] < 140 for index in range(10))


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 50), st.integers(0, 500), st.integers(1, 9))
def test_draws_stay_inside_their_bounds(u: float, low: int, more: int, step: int) -> None:
    """Whatever the uniform number, the value is one that the distribution holds."""
    for distribution in (
        Uniform(low / 7, low / 7 + more),
        Log(low / 7e5, low / 7 + more),
        Int(low, low + more, step),
        Int(low, low + more, log=True),
    ):
        assert distribution.contains(keyed.draw(distribution, u))


def test_a_log_distribution_is_even_in_the_logarithm() -> None:
    """Half of the draws lie below the geometric mean."""
    values = [keyed.draw(Log(1e-4, 1e-2), u) for u in UNITS]
    assert sum(value < 1e-3 for value in values) == pytest.approx(500, abs=2)  # type: ignore[operator]


def test_every_whole_number_and_every_option_is_drawn_as_often() -> None:
    """Int and Choice are even over their values, bounds included."""
    ints = Counter(keyed.draw(Int(2, 10, step=4), u) for u in UNITS)
    options = Counter(keyed.draw(Choice(("relu", None, True)), u) for u in UNITS)
    assert set(ints) == {2, 6, 10}
    assert set(options) == {"relu", None, True}
    assert max(ints.values()) - min(ints.values()) <= 1
    assert max(options.values()) - min(options.values()) <= 1


def test_log_ints_reach_both_bounds() -> None:
    """The bounds of a logarithmic int are drawn with the share that their logarithms ask for."""
    drawn = Counter(keyed.draw(Int(1, 8, log=True), u) for u in UNITS)
    assert set(drawn) == set(range(1, 9))
    assert drawn[1] / 1000 == pytest.approx(math.log(3) / math.log(17), abs=0.01)


def test_floats_are_short() -> None:
    """Drawn floats have at most six significant digits, so that configs are readable."""
    assert all(float(f"{value:.6g}") == value for value in (keyed.draw(Uniform(0.0, 0.5), u / math.pi) for u in UNITS))
