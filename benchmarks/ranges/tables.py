"""Rows that need no download, for problems on which the range test is judged."""

from __future__ import annotations

import numpy as np


def friedman() -> tuple[np.ndarray, np.ndarray]:
    """Friedman's first regression problem (1991): ``[n, 10]``, ``[n]``; five of them count; noise is a fifth of the spread."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(600, 10, noise=1.0, random_state=0)
    return x.astype(np.float32), y.astype(np.float32)
