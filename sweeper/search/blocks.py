"""Which trial belongs to which shape.

Independent draws hardly ever share a shape, so the shape is drawn once per *block* and the other parameters under it. It
lets a worker train siblings side by side, and judges every architecture at its own well-tuned learning rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sweeper.config.space import Space

EARLY_BLOCKS = 8
EARLY_SIBLINGS = 2
SIBLINGS = 8
"""``shapes: auto``: two trials per shape for the first eight shapes, then eight. Two looks at each of eight shapes teach more than eight at
two; once there is a choice, full stacks of lanes are cheap."""

_EARLY_TRIALS = EARLY_BLOCKS * EARLY_SIBLINGS


@dataclass(frozen=True, slots=True)
class Place:
    """A trial's place in the sweep: its number, its block and its position among the block's trials, all 0-based."""

    number: int
    block: int
    sibling: int


class Blocks:
    """The fixed order of blocks; it does not depend on how many trials are asked for.

    - ``auto``: two consecutive trials share a shape, from trial 16 on eight.
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
                if number < _EARLY_TRIALS:
                    return Place(number, *divmod(number, EARLY_SIBLINGS))
                block, sibling = divmod(number - _EARLY_TRIALS, SIBLINGS)
                return Place(number, EARLY_BLOCKS + block, sibling)
            case shapes:
                return Place(number, number % shapes, number // shapes)

    def opener(self, block: int) -> int:
        """The number of the trial that draws the shape of this block."""
        if self._shapes != "auto":
            return block
        return block * EARLY_SIBLINGS if block < EARLY_BLOCKS else _EARLY_TRIALS + (block - EARLY_BLOCKS) * SIBLINGS

    def again(self, block: int) -> bool:
        """Whether a sampler that learns gives this block the shape of the best trial so far.

        With ``auto`` every other block after the early ones; elsewhere never: a number of shapes is that of different ones.
        """
        return self._shapes == "auto" and block >= EARLY_BLOCKS and (block - EARLY_BLOCKS) % 2 == 0

    def batch(self, number: int, lanes: int) -> int:
        """How many trials, from ``number`` on, are numbered at once for a worker with so many free lanes.

        As few as fill the lanes with one shape where that can be, so that a sampler that learns has seen what it can.

        - ``auto``: the rest of the block.
        - R shapes: R times the lanes.
        - ``trials``: one; and where all trials share one block, as many as there are lanes.
        """
        match self._shapes:
            case "one":
                return lanes
            case "trials":
                return 1
            case "auto":
                return self.opener(self.place(number).block + 1) - number
            case shapes:
                return shapes * lanes
