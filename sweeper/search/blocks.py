"""Which trial belongs to which shape.

Independent draws hardly ever share a shape, so the shape is drawn once per *block* and the other parameters under it. It
lets a worker train siblings side by side, and judges every architecture at its own well-tuned learning rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sweeper.config.space import Space

TRIALS_PER_SHAPE = 8  # what ``shapes: auto`` means


@dataclass(frozen=True, slots=True)
class Place:
    """A trial's place in the sweep: its number, its block and its position among the block's trials, all 0-based."""

    number: int
    block: int
    sibling: int


class Blocks:
    """The fixed order of blocks; it does not depend on how many trials are asked for.

    - ``auto``: eight consecutive trials share a shape.
    - a number R: trial i belongs to block ``i % R``, so that exactly R shapes are drawn.
    - ``trials``: every trial draws its own shape.

    A space without structural parameters has one block; one without others has a block per trial.
    """

    def __init__(self, space: Space) -> None:
        structural = sum(leaf.structural for leaf in space.leaves)
        self._shapes: Literal["auto", "trials", "one"] | int = space.base.search.shapes
        if structural == 0:
            self._shapes = "one"
        elif structural == len(space.leaves):
            self._shapes = "trials"

    def place(self, number: int) -> Place:
        """Where trial ``number`` stands."""
        match self._shapes:
            case "one":
                return Place(number, 0, number)
            case "trials":
                return Place(number, number, 0)
            case "auto":
                return Place(number, *divmod(number, TRIALS_PER_SHAPE))
            case shapes:
                return Place(number, number % shapes, number // shapes)

    def opener(self, block: int) -> int:
        """The number of the trial that draws the shape of this block."""
        return block * TRIALS_PER_SHAPE if self._shapes == "auto" else block
