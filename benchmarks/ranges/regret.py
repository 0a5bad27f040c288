"""What a suggested learning rate costs, by training at every learning rate of a fine grid.

The loss of a learning rate is the mean over the seeds and over the last tenth of the steps of training at it, constantly, for as many
steps as the range test takes; a seed's counts at most what it was before the first step, also when it ends in NaN or infinity. The *regret*
of a learning rate is the share of the achievable drop that it loses: (its loss - the grid's lowest) / (loss before the first step - the
grid's lowest), interpolated on log lr between the grid's points. It is 0 for the best and 1 where nothing was learnt. No suggestion
counts 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.ranges.curves import GRID, Curves

TAIL = 0.1
"""Share of the steps whose mean is the loss at the end."""
GOOD = 0.02
"""The regret of the learning rates that a bracket has to overlap."""


@dataclass(frozen=True)
class Regret:
    """Of the learning rates of one problem.

    Attributes:
        of_grid: ``[rates]``, the regret at each of ``GRID``.
        drop: the achievable drop of the loss.
    """

    of_grid: np.ndarray
    drop: float

    @classmethod
    def of(cls, curves: Curves) -> Regret:
        """From what was trained on the grid."""
        start = curves.grid[0, :, 0]
        tail = max(1, round(TAIL * curves.grid.shape[2]))
        ends = np.mean(curves.grid[:, :, -tail:], axis=2)
        losses = np.mean(np.minimum(np.where(np.isfinite(ends), ends, start), start), axis=1)
        drop = float(np.mean(start) - np.min(losses))
        return cls((losses - np.min(losses)) / drop, drop)

    def __call__(self, lr: float | None) -> float:
        """The regret of a suggestion."""
        return 1.0 if lr is None else float(np.interp(np.log(lr), np.log(GRID), self.of_grid))

    @property
    def best(self) -> float:
        """The best learning rate of the grid."""
        return float(GRID[int(np.argmin(self.of_grid))])

    def overlaps(self, bracket: tuple[float, float] | None) -> bool:
        """Whether a bracket has a learning rate in it whose regret is at most ``GOOD``."""
        return bracket is not None and min(self(lr) for lr in np.geomspace(*bracket, 100)) <= GOOD
