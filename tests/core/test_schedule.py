"""Learning-rate schedules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.config.schema import Constant, WarmupCosine
from sweeper.core import schedule


@pytest.mark.parametrize(("epoch", "expected"), [(0, 0.01), (25, 0.00855), (50, 0.00505), (75, 0.00155), (100, 0.0001)])
def test_a_cosine_has_the_oracles_values(epoch: int, expected: float) -> None:
    """From 0.01 to 0.0001 over 100."""
    at = schedule.build(WarmupCosine(warmup_fraction=0.0, final_fraction=0.01), 100)
    assert 0.01 * at(epoch) == pytest.approx(expected, abs=5e-6)


def test_a_cosine_is_symmetric() -> None:
    """As much of the decay lies in the first half as in the second."""
    at = schedule.build(WarmupCosine(warmup_fraction=0.0), 100)
    assert [at(s) + at(100 - s) for s in range(51)] == pytest.approx([1.0] * 51)


def test_the_warm_up_climbs_from_a_hundredth_to_the_peak() -> None:
    """Linear over a tenth of the steps."""
    at = schedule.build(WarmupCosine(warmup_fraction=0.1), 100)
    assert [at(0), at(5), at(10)] == pytest.approx([0.01, 0.505, 1.0])


def test_constant_is_the_peak() -> None:
    """Every step has the multiplier 1."""
    at = schedule.build(Constant(), 10)
    assert {at(step) for step in range(10)} == {1.0}


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.99), st.floats(0, 1), st.integers(1, 500))
def test_a_schedule_rises_to_the_peak_and_falls_to_its_end(warmup: float, final: float, steps: int) -> None:
    """Any fractions and lengths: within bounds, up and then down, and past the end at its final share."""
    at = schedule.build(WarmupCosine(warmup_fraction=warmup, final_fraction=final), steps)
    values = [at(step) for step in range(steps + 1)]
    top = values.index(max(values))
    assert values[top] == pytest.approx(1.0)
    assert values[: top + 1] == sorted(values[: top + 1])
    assert values[top:] == sorted(values[top:], reverse=True)
    assert at(steps) == at(steps + 10) == pytest.approx(final)
