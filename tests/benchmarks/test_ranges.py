"""How the range test's benchmark measures a regret, and how it knows that it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ranges.regret import ADMITTED, GRID, QUIET, Regret

BEST = 20


def grid(noise: float, seeds: int, seed: int, rates: int = len(GRID)) -> np.ndarray:
    """A valley about the rate ``BEST``, from a loss of 1 to one of 0, on which every seed has an offset of its own at the end."""
    ends = np.minimum(np.abs(np.arange(rates) - BEST) / 10, 1.0)[:, None] + noise * np.random.default_rng(seed).normal(size=(rates, seeds))
    curves = np.repeat(np.minimum(ends, 1.0)[:, :, None], 10, axis=2)
    curves[:, :, 0] = 1.0
    return curves


def test_the_regret_is_the_share_of_the_drop() -> None:
    """Nought at the best, interpolated between rates, one without a suggestion; what broke counts as the start."""
    curves = grid(0.0, 5, 0)
    curves[40:] = np.nan
    curves[:, :, 0] = 1.0
    found = Regret.of(curves)
    assert (found.best, found.drop, found.noise) == (GRID[BEST], 1.0, 0.0)
    assert found(GRID[BEST]) == 0.0
    assert found(np.sqrt(GRID[BEST] * GRID[BEST + 1])) == pytest.approx(0.05)
    assert found(GRID[50]) == found(None) == 1.0
    assert found.overlaps((GRID[BEST - 3], GRID[BEST - 1] * 1.3))
    assert not found.overlaps((GRID[BEST + 2], GRID[BEST + 5]))


def test_more_seeds_measure_what_five_do_not() -> None:
    """The noise is the standard error of the lowest mean; with 25 seeds on the rates near the best it is less than half."""
    few = grid(0.05, 5, 1)
    five = Regret.of(few)
    assert ADMITTED > QUIET
    assert five.noise > QUIET
    near = five.of_grid <= 0.25
    more = Regret.of(few, near, grid(0.05, 20, 2)[near])
    assert more.noise == pytest.approx(0.05 / 5, rel=0.4)
    assert abs(int(np.argmin(more.of_grid)) - BEST) <= 1
    assert np.all(more.of_grid >= 0)
    assert more.of_grid[np.flatnonzero(~near)] == pytest.approx(np.minimum(np.abs(np.flatnonzero(~near) - BEST) / 10, 1.0), abs=0.15)


def test_a_grid_on_which_nothing_is_learnt_tells_nothing() -> None:
    """There is no drop to lose a share of."""
    assert Regret.of(np.ones((len(GRID), 5, 10))).noise > ADMITTED
