"""What a suggested learning rate costs, by training at every learning rate of a fine grid, and how well that grid can tell.

The loss of a learning rate is the mean over the seeds and over the last tenth of the steps of training at it, constantly, for as many
steps as the range test takes; a seed's counts at most what it was before the first step, also when it ends in NaN or infinity. The *regret*
of a learning rate is the share of the achievable drop that it loses: (its loss - the grid's lowest) / (loss before the first step - the
grid's lowest), interpolated on log lr between the grid's points. It is 0 for the best and 1 where nothing was learnt. No suggestion
counts 1.

The *noise* of a grid is the standard error of its lowest loss, over the seeds, as a share of the drop. Where five seeds leave more than
``QUIET``, the learning rates that they see within ``NEAR`` of the best are trained with 20 more, and the best is one of those. A grid that
is then above ``ADMITTED`` measures no regret: no problem is held out by it. That looks at the grid alone, at no suggestion of any rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GRID = np.geomspace(1e-5, 100.0, 57)
"""Eight a decade."""
TAIL = 0.1
"""Share of the steps whose mean is the loss at the end."""
GOOD = 0.02
"""The regret of the learning rates that a bracket has to overlap."""
QUIET = 0.01
"""The noise up to which five seeds are enough."""
NEAR = 0.25
"""The regret, by five seeds, up to which a learning rate gets more."""
ADMITTED = 0.02
"""The noise of a grid, the largest on which anything is held out: it is the regret that is asked for."""


@dataclass(frozen=True)
class Regret:
    """Of the learning rates of one problem.

    Attributes:
        of_grid: ``[rates]``, the regret at each of ``GRID``.
        drop: the achievable drop of the loss.
        noise: of the lowest loss, as a share of the drop.
    """

    of_grid: np.ndarray
    drop: float
    noise: float

    @classmethod
    def of(cls, grid: np.ndarray, near: np.ndarray | None = None, more: np.ndarray | None = None) -> Regret:
        """From what was trained on the grid.

        Args:
            grid: ``[rates, seeds, steps]``, the losses at each of ``GRID``.
            near: ``[rates]``, which of them were trained with more seeds; None: none.
            more: ``[near rates, more seeds, steps]``, their losses.
        """
        start, ends = _start_and_ends(grid)
        losses = ends.mean(axis=1)
        candidates = np.arange(len(losses))
        if near is not None and more is not None:
            further, further_ends = _start_and_ends(more)
            start, ends = np.concatenate([start, further]), np.concatenate([ends[near], further_ends], axis=1)
            losses[near], candidates = ends.mean(axis=1), np.flatnonzero(near)
        best = int(np.argmin(losses[candidates]))
        lowest = float(losses[candidates[best]])
        drop = float(np.mean(start)) - lowest
        noise = float(np.std(ends[best], ddof=1)) / np.sqrt(len(start)) / drop if drop > 0 else np.inf
        return cls(np.maximum(losses - lowest, 0.0) / max(drop, 1e-12), drop, float(noise))

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


def _start_and_ends(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The loss before the first step ``[seeds]``, and what each learning rate ended at ``[rates, seeds]``."""
    start = curves[0, :, 0]
    tail = max(1, round(TAIL * curves.shape[2]))
    ends = np.mean(curves[:, :, -tail:], axis=2)
    return start, np.minimum(np.where(np.isfinite(ends), ends, start), start)
