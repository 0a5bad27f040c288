"""Which trial belongs to which shape.

Independent draws seldom share a shape, so the shape is drawn once per *block* and the other parameters under it: that lets a worker train
siblings side by side.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sweeper.config.distributions import Auto
from sweeper.config.space import Space
from sweeper.trial import Trial

EARLY_BLOCKS = 8
"""Shapes before a sampler that learns has a choice."""

LOOKS = 2
"""Trials of a new shape, where most shapes are new ones: many shapes looked at teach more than many looks at a few."""

SIBLINGS = 8
"""Trials of a shape that is worth a full stack of lanes; in a fixed order, of every shape after the early ones."""

AGAIN_EVERY = 5
"""Of the blocks that grow, every so many is for the best shape so far: about as many trials look at new shapes as tune the best."""

_EARLY_TRIALS = EARLY_BLOCKS * LOOKS


@dataclass(frozen=True, slots=True)
class Place:
    """A trial's place in the sweep.

    Attributes:
        number: 0-based.
        block: 0-based.
        sibling: 0-based position among the block's trials.
        again: a block that a sampler that learns gives the shape of the best trial so far.
    """

    number: int
    block: int
    sibling: int
    again: bool = False


class Blocks(Protocol):
    """The order of places."""

    def enter(self, trial: Trial) -> None:
        """This one was numbered; in order of numbers."""

    def ahead(self, lanes: int, block: int | None = None) -> Sequence[Place]:
        """The next places, for a worker with so many free lanes; the sweep may end before they do.

        Args:
            lanes: at least one.
            block: of the trials beside which they are to be trained; None: the worker has none.
        """

    def most(self, block: int) -> int:
        """How many trials the block may have."""


class FixedBlocks:
    """An order that depends on numbers alone, not on how many trials are asked for or by whom.

    - ``auto``: two consecutive trials share a shape, from trial 16 on eight.
    - a number R: trial i belongs to block ``i % R``, so that exactly R shapes are drawn.
    - ``trials``: every trial draws its own shape.
    - ``one``: all trials share one.
    """

    def __init__(self, shapes: Literal["auto", "trials", "one"] | int) -> None:
        self._shapes = shapes
        self._count = 0

    def enter(self, trial: Trial) -> None:
        """See ``Blocks.enter``."""
        self._count = trial.number + 1

    def ahead(self, lanes: int, block: int | None = None) -> Sequence[Place]:  # noqa: ARG002 - the Protocol's signature
        """See ``Blocks.ahead``: as few as fill the lanes with one shape where that can be; a sampler that learns has then seen what it can.

        - ``auto``: the rest of the block.
        - R shapes: R times the lanes.
        - ``trials``: one; and where all trials share one block, as many as there are lanes.
        """
        return [self.place(number) for number in range(self._count, self._count + self._batch(lanes))]

    def most(self, block: int) -> int:
        """See ``Blocks.most``; as many as the sweep has, where trials go round by shapes or all have one."""
        match self._shapes:
            case "trials":
                return 1
            case "auto":
                return LOOKS if block < EARLY_BLOCKS else SIBLINGS
            case _:
                return sys.maxsize

    def place(self, number: int) -> Place:
        """Where trial ``number`` stands."""
        match self._shapes:
            case "one":
                return Place(number, 0, number)
            case "trials":
                return Place(number, number, 0)
            case "auto":
                if number < _EARLY_TRIALS:
                    return Place(number, *divmod(number, LOOKS))
                block, sibling = divmod(number - _EARLY_TRIALS, SIBLINGS)
                return Place(number, EARLY_BLOCKS + block, sibling)
            case shapes:
                return Place(number, number % shapes, number // shapes)

    def _batch(self, lanes: int) -> int:
        match self._shapes:
            case "one":
                return lanes
            case "trials":
                return 1
            case "auto":
                place = self.place(self._count)
                return self.most(place.block) - place.sibling
            case shapes:
                return shapes * lanes


class GrownBlocks:
    """``auto`` for a sampler that learns: a block is begun with one trial and grows as its worker has lanes for more.

    So a trial is drawn when it is wanted and the sampler knows what its elders have reached; and a model that is trained alone, because
    more lanes are no faster, has a shape of its own. Blocks have at most two trials; every fifth after the early ones is for the best
    shape so far and has up to eight.

    Args:
        least: trials of a block, however few lanes there are.
    """

    def __init__(self, least: int = 1) -> None:
        self._least = least
        self._lengths: list[int] = []
        self._count = 0

    def enter(self, trial: Trial) -> None:
        """See ``Blocks.enter``."""
        if trial.sibling == 0:
            self._lengths.append(0)
        self._lengths[trial.block] += 1
        self._count += 1

    def ahead(self, lanes: int, block: int | None = None) -> Sequence[Place]:
        """See ``Blocks.ahead``: more of the block, as far as it may grow; a new one for a worker that has none."""
        block = len(self._lengths) if block is None else block
        length = 0 if block == len(self._lengths) else self._lengths[block]
        end = min(max(length + lanes, self._least), self.most(block))
        again = self._again(block)
        return [Place(self._count + sibling - length, block, sibling, again) for sibling in range(length, end)]

    def most(self, block: int) -> int:
        """See ``Blocks.most``."""
        return SIBLINGS if self._again(block) else LOOKS

    def _again(self, block: int) -> bool:
        return block >= EARLY_BLOCKS and (block - EARLY_BLOCKS) % AGAIN_EVERY == 0


def blocks_of(space: Space) -> Blocks:
    """The order of ``search.shapes``.

    A space without structural parameters has one block; one without others has a block per trial. Random search has a fixed order, since
    it promises that config i is the same at any number of workers. Where a shape costs a range test of its learning rate, it has two trials
    at least.
    """
    structural = sum(leaf.structural for leaf in space.leaves)
    search = space.base.search
    if structural == 0:
        return FixedBlocks("one")
    if structural == len(space.leaves):
        return FixedBlocks("trials")
    if search.shapes != "auto" or search.sampler == "random":
        return FixedBlocks(search.shapes)
    tested = any(isinstance(leaf.distribution, Auto) for leaf in space.leaves)
    return GrownBlocks(LOOKS if tested else 1)
