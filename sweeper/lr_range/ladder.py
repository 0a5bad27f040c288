"""What both faces of the range test say of a ladder and of words for it: defaults, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import StrEnum
from typing import TypeVar

from sweeper.config.nearest import hint
from sweeper.errors import InputError, Problem

SOURCE = "learning-rate range test"

LOW = 1e-7
HIGH = 10.0
STEPS = 100
SEEDS = 5
"""Fresh models, or repeats of one that was handed in."""


def ladder_problems(low: float | None, high: float | None, steps: int, **counts: int) -> Iterator[Problem]:
    """Why these numbers make no ladder.

    Args:
        low: the first learning rate; None: not known yet.
        high: the last one; None: not known yet.
        steps: optimizer steps.
        counts: by name, what there must be one of at least.
    """
    ends = [end for end in (low, high) if end is not None]
    if not all(math.isfinite(end) and end > 0 for end in ends) or ends != sorted(set(ends)):
        yield Problem(SOURCE, "low, high", ", ".join(f"{end:g}" for end in ends), "0 < low < high, both finite")
    if steps < 2:
        yield Problem(SOURCE, "steps", str(steps), "2 or more", hint="100 is a good number")
    for name, count in counts.items():
        if count < 1:
            yield Problem(SOURCE, name, str(count), "1 or more")


Word = TypeVar("Word", bound=StrEnum)


def word_of(kind: type[Word], word: str, name: str) -> Word:
    """The word of this kind that somebody wrote for the argument ``name``.

    Raises:
        InputError: it is none.
    """
    try:
        return kind(word)
    except ValueError:
        allowed = [known.value for known in kind]
        raise InputError.of(SOURCE, name, f'"{word}"', " or ".join(allowed), hint(word, allowed)) from None
