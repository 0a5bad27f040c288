"""Learning rates in sentences and on axes."""

from __future__ import annotations

import re


def rate(lr: float) -> str:
    """A learning rate as people write it: ``3.2e-3``, ``0.05``, ``2``."""
    if 0.01 <= lr < 1000:
        return f"{lr:.2g}"
    return re.sub(r"(\.0)?e([+-])0*(\d+)$", lambda found: f"e{found[2].strip('+')}{found[3]}", f"{lr:.1e}")
