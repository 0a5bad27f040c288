from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from sweeper.tracking.picture import Point, continues, cut, digest, non_finite, points_of, texts
from sweeper.tracking.words import duration, number, told
from sweeper.trial import Report

finite = st.floats(allow_nan=False, allow_infinity=False)
points = st.lists(st.builds(Point, st.sampled_from(["val_loss", "lr"]), finite, st.integers(0, 2**40), st.integers(0, 99)), max_size=8)


@given(points, st.integers(0, 8))
def test_points_go_on_from_every_beginning_of_theirs(made: list[Point], count: int) -> None:
    """What was promised by its digest is recognised, however much has been added since."""
    assert continues(made, digest(made[:count]))


@given(points.filter(bool), st.integers(0, 7), finite)
def test_a_single_other_bit_is_noticed(made: list[Point], index: int, value: float) -> None:
    """Points of an attempt that went otherwise are not taken for the same."""
    index %= len(made)
    old = made[index]
    other = [*made[:index], Point(old.key, value, old.at_ms, old.step), *made[index + 1 :]]
    assert continues(other, digest(made)) == (value.hex() == old.value.hex())
    assert not continues(made[:-1], digest(made))


def test_values_that_are_not_finite_are_named_instead_of_sent() -> None:
    """MLflow would store infinity as the largest number and sort it first."""
    made = [Report(0, 1, {"a": 1.0, "b": math.inf}, 5.0), Report(0, 2, {"a": math.nan, "b": -math.inf}, 6.0)]
    assert points_of(made) == (Point("a", 1.0, 5000, 1),)
    assert non_finite(made) == "b from epoch 1, a from epoch 2"


def test_params_are_spelled_as_in_yaml_and_cut_when_endless() -> None:
    """None and booleans read as in the file."""
    assert texts({"a": None, "b": True, "c": 1e-4, "d": "x"}) == {"a": "null", "b": "true", "c": "0.0001", "d": "x"}
    assert len(cut("x" * 10_000)) == 4000


def test_numbers_and_times_are_short() -> None:
    """For people."""
    assert [number(value) for value in (None, 0.061234567, 1234567.0, math.nan)] == ["-", "0.06123", "1.235e+06", "nan"]
    assert [duration(seconds) for seconds in (7.4, 750, 11100)] == ["0:07", "12:30", "3:05:00"]


def test_an_error_is_told_by_its_ground_and_without_credentials() -> None:
    """Of five wrappers the innermost reason; of a URL no password."""
    wrapper = RuntimeError("API request failed")
    wrapper.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert told(wrapper) == "[Errno 111] Connection refused"
    assert told(ValueError("http://ada:secret@host/ said no\nand more")) == "http://***@host/ said no"
