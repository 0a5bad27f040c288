"""Pictures of a range test."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from sweeper.lr_range import figure
from sweeper.lr_range.judge import judge
from sweeper.lr_range.run import LrRangeResult

LRS = np.geomspace(1e-7, 10, 100)


def result(kind: str) -> LrRangeResult:
    """An invented result: one with an answer, one of noise, one without anything finite."""
    noise = 0.03 * np.random.default_rng(0).normal(size=(3, 100))
    decades = np.log10(LRS / 1e-2)
    valley = 2 / (1 + np.exp(4 * (decades + 0.7))) + 0.05 * np.exp(np.clip(4 * (decades - 0.3), None, 20)) + noise
    losses = {"valley": valley, "noise": 2.3 + noise, "nothing": np.full((3, 100), np.nan)}[kind]
    return LrRangeResult("mlp", "adamw", LRS, losses, judge(LRS, losses), 100, 300, 1.5)


@pytest.mark.parametrize("kind", ["valley", "noise", "nothing"])
def test_the_png_is_an_image_without_pyplot(kind: str) -> None:
    """Whatever the answer, a PNG of 1280 x 800 pixels is drawn."""
    image = figure.png(result(kind))
    assert image.startswith(b"\x89PNG")
    assert struct.unpack(">II", image[16:24]) == (1280, 800)


@pytest.mark.parametrize("kind", ["valley", "noise", "nothing"])
def test_the_page_needs_no_network(kind: str) -> None:
    """The page holds plotly itself, the title, every seed and the axis labels."""
    page = figure.html(result(kind))
    assert '<script src="http' not in page
    assert "Learning-rate range test of mlp (adamw)" in page
    assert all(
        text in page for text in ("seed 0", "seed 2", "median, smoothed", "learning rate (log scale)", "training loss before the step")
    )


def test_the_page_marks_the_answer() -> None:
    """Suggestion and max lr are named in the page, and only where there are any."""
    found = result("valley")
    page = figure.html(found)
    assert f"suggestion {found.judgement.suggestion:.2g}" in page
    assert f"max lr {found.judgement.max_lr:.2g}" in page
    assert "suggestion 0" not in figure.html(result("noise"))


def test_the_chart_shows_the_valley_and_the_suggestion() -> None:
    """The terminal chart is high at both ends and low in between; the mark stands below the suggested learning rate."""
    lines = figure.chart(result("valley"), width=72, height=10).splitlines()
    assert len(lines) == 12
    assert all(len(line) <= 83 for line in lines)
    bottom, top, mark = lines[9], lines[0], lines[11]
    assert bottom[9:81].count("█") >= 60
    assert 0 < top[9:81].count("█") < 40
    assert lines[10].split() == ["1e-7", "1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1", "1e0", "1e1"]
    assert "▲ suggestion 0.0082" in mark
    assert lines[10].index("1e-3") < mark.index("▲") <= lines[10].index("1e-2")


def test_the_chart_has_no_mark_without_an_answer() -> None:
    """A curve of noise is shown without a mark; where nothing was finite there is no chart."""
    assert "█" in figure.chart(result("noise"))
    assert "▲" not in figure.chart(result("noise"))
    assert figure.chart(result("nothing")) == ""
