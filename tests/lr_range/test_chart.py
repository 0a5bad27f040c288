"""The range test in characters."""

from __future__ import annotations

from sweeper.lr_range.chart import chart
from sweeper.lr_range.words import rate
from tests.lr_range.invented import result


def test_the_chart_shows_the_valley_and_the_suggestion() -> None:
    """It is high at both ends and low in between; below it the bracket, and in that the mark at the suggested learning rate."""
    found = result("valley")
    lines = chart(found, width=72, height=10).splitlines()
    assert len(lines) == 13
    assert all(len(line) <= 81 for line in lines)
    bottom, top, axis, marks, words = lines[9], lines[0], lines[10], lines[11], lines[12]
    assert bottom[9:81].count("█") >= 60
    assert 0 < top[9:81].count("█") < 40
    assert axis.split() == ["1e-7", "1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1", "1e0", "1e1"]
    assert marks.index("├") < marks.index("▲") < marks.index("┤")
    assert axis.index("1e-3") <= marks.index("▲") < axis.index("1e-1")
    assert found.suggestion is not None
    assert words.strip().endswith(f"▲ train with {rate(found.suggestion)}")


def test_the_chart_has_no_mark_without_an_answer() -> None:
    """A curve of noise is shown without a mark; where nothing was finite there is no chart."""
    assert "█" in chart(result("noise"))
    assert "▲" not in chart(result("noise"))
    assert chart(result("nothing")) == ""


def test_a_linear_ladder_has_even_steps_below_it() -> None:
    """The axis names five rates, the first and the last among them, and stays within its width."""
    axis = chart(result("linear"), width=60).splitlines()[10]
    assert axis.split() == ["1e-3", "0.026", "0.051", "0.075", "0.1"]
    assert len(axis) == 69
