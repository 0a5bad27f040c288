"""Spelling suggestions."""

from __future__ import annotations

import pytest

from sweeper.config.nearest import hint, nearest

METRICS = ["val_loss", "val_accuracy", "val_auroc"]


@pytest.mark.parametrize(
    ("word", "words", "found"),
    [
        ("widht", ["width", "depth"], "width"),
        ("WIDTH", ["width", "depth"], "width"),
        ("val_acc", METRICS, "val_accuracy"),
        ("mpl", ["mlp", "cnn"], "mlp"),
        ("width", ["channels", "depth", "kernel"], None),
        ("", ["mlp"], None),
        ("mlp", [], None),
    ],
)
def test_the_nearest_spelling_is_found(word: str, words: list[str], found: str | None) -> None:
    """A beginning or a slip of the finger is recognised, and nothing far-fetched is suggested."""
    assert nearest(word, words) == found


def test_a_hint_is_a_question_or_nothing() -> None:
    """A hint can be put behind any message."""
    assert hint("widht", ["width"]) == 'did you mean "width"?'
    assert not hint("x", ["width"])
