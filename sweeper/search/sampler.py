"""What a sampler is, and the random one.

A sampler only proposes; numbering, duplicates and forbidden combinations are the business of ``draws``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sweeper.config.space import Leaf, Resolved, Space
from sweeper.search.blocks import Place
from sweeper.search.brackets import Brackets
from sweeper.search.keyed import Drawable, draw, unit
from sweeper.trial import Outcome, Scalar, Trial


class Sampler(Protocol):
    """Proposes configs from what it was told."""

    def propose(self, place: Place, attempt: int, fixed: Mapping[str, Scalar], *, seed: int) -> Resolved:
        """A config for this place whose parameters in ``fixed`` have those values.

        The same place, attempt and history give the same config.

        Args:
            place: where in the sweep the trial stands.
            attempt: 0-based; how many proposals for this place were turned down.
            fixed: parameter name to value; empty for a free proposal.
            seed: the trial's training seed.

        Raises:
            Forbidden: the combination is in the space's ``forbid``.
            Unmeasured: a range test is wanted first.
        """

    def enter(self, trial: Trial) -> None:
        """The trial is numbered and open; trials are entered in order of their numbers."""

    def close(self, number: int, outcome: Outcome, points: Mapping[int, float]) -> None:
        """The trial ended; ``points`` are its finite values of the searched metric by epoch."""


class RandomSampler:
    """Config i = f(search seed, i): the same at any number of workers and any number of trials.

    Of an ``auto`` learning rate that holds for its place in the bracket; an edge may have moved out after trials that completed.
    """

    def __init__(self, space: Space, brackets: Brackets) -> None:
        self._space = space
        self._brackets = brackets
        self._seed = space.base.search.seed

    def propose(self, place: Place, attempt: int, fixed: Mapping[str, Scalar], *, seed: int) -> Resolved:
        """See ``Sampler.propose``."""

        def drawn(leaf: Leaf, distribution: Drawable) -> Scalar:
            kind = "shape" if leaf.structural else "scalars"
            return draw(distribution, unit(self._seed, kind, place.block, place.sibling, attempt, leaf.name))

        def suggest(leaf: Leaf, distribution: Drawable) -> Scalar:
            return fixed[leaf.name] if leaf.name in fixed else drawn(leaf, distribution)

        return self._space.resolve(self._brackets.guided(suggest, lambda leaf, bracket: drawn(leaf, bracket.log())), seed=seed)

    def enter(self, trial: Trial) -> None:
        """Random search does not learn."""

    def close(self, number: int, outcome: Outcome, points: Mapping[int, float]) -> None:
        """Random search does not learn."""


def sampler_of(space: Space, brackets: Brackets) -> Sampler:
    """The sampler that ``search.sampler`` names."""
    if space.base.search.sampler == "random":
        return RandomSampler(space, brackets)
    from sweeper.search.tpe import TpeSampler

    return TpeSampler(space, brackets)
