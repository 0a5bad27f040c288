"""What both faces of the range test say of a ladder: its defaults, and which ladder is none."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sweeper.errors import Problem

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
