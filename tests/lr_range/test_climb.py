"""When a run of steps ends early."""

from __future__ import annotations

import numpy as np

from sweeper.lr_range.climb import far_above


def test_one_bad_batch_ends_nothing() -> None:
    """Only a loss that stays above its start by four times its drop is far above, wherever zero is."""
    calm = np.concatenate([np.full(20, 2.0), np.linspace(2.0, 1.0, 20)])
    for shift in (0.0, -50.0):
        assert not far_above(shift + calm, 20)
        assert not far_above(shift + np.append(calm, [1e6] * 4), 20)
        assert not far_above(shift + np.append(calm, [5.9] * 5), 20)
        assert far_above(shift + np.append(calm, [6.1] * 5), 20)
    assert not far_above(np.arange(24.0), 20)
