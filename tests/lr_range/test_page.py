"""The interactive page of a range test."""

from __future__ import annotations

import pytest

from sweeper.lr_range import page
from sweeper.lr_range.words import rate
from tests.lr_range.invented import result


@pytest.mark.parametrize("kind", ["valley", "noise", "nothing", "linear"])
def test_the_page_needs_no_network(kind: str) -> None:
    """The page holds plotly itself, the title, every seed and the axis labels."""
    text = page.html(result(kind))
    assert '<script src="http' not in text
    assert "Learning-rate range test of mlp, adamw" in text
    assert all(word in text for word in ("seed 0", "seed 2", "median, smoothed", "learning rate (", "training loss before the step"))


def test_the_page_marks_the_answer() -> None:
    """Suggestion, highest rate, bracket and divergence are named in the page, and only where there are any."""
    found = result("valley")
    verdict, text = found.judgement, page.html(found)
    assert verdict.suggestion is not None
    assert verdict.max_lr is not None
    assert f"train with {rate(verdict.suggestion)}" in text
    assert f"at most {rate(verdict.max_lr)}" in text
    assert "search " in text
    assert "diverges from " in text
    assert "at most " not in page.html(result("noise"))


def test_the_page_shows_a_probe() -> None:
    """The constant rates are a panel of their own."""
    found = result("probed")
    text = page.html(found)
    assert found.probe is not None
    assert found.probe.verdict.suggestion is not None
    assert f"train with {rate(found.probe.verdict.suggestion)}" in text
    assert "training loss after 50 steps" in text
    assert "constant rate, mean" in text
