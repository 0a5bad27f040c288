"""Numbers the trials and fixes their configs: no forbidden one, and no config twice while there are others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sweeper.config.files import tree_of
from sweeper.config.space import Forbidden, Leaf, Resolved, Space
from sweeper.errors import InputError
from sweeper.search.blocks import Place, blocks_of
from sweeper.search.brackets import Bracket, Brackets
from sweeper.search.keyed import seed
from sweeper.search.sampler import Sampler
from sweeper.trial import Scalar, Trial

ATTEMPTS = 200
"""Proposals under one shape, and again with a free shape, before a duplicate is accepted."""


@dataclass(frozen=True, slots=True)
class _Opener:
    """What a block's first trial fixes for its siblings: the shape, and the values that make it."""

    shape: str
    structure: Mapping[str, Scalar]


class Draws:
    """The sequence of trials of one sweep."""

    def __init__(self, space: Space, sampler: Sampler, brackets: Brackets) -> None:
        self._space = space
        self._sampler = sampler
        self._brackets = brackets
        self._blocks = blocks_of(space)
        self._structural = frozenset(leaf.name for leaf in space.leaves if leaf.structural)
        self._count = 0
        self._openers: dict[int, _Opener] = {}  # by block; of other trials nothing is kept but the key of their values
        self._seen: set[str] = set()

    def __len__(self) -> int:
        return self._count

    def enter(self, trial: Trial) -> None:
        """Take over a trial that was numbered before, or has just been drawn; in order of numbers."""
        if trial.sibling == 0:
            self._openers[trial.block] = _Opener(trial.shape, {k: v for k, v in trial.values.items() if k in self._structural})
        self._count += 1
        self._seen.add(_key(trial.values))
        self._blocks.enter(trial)
        self._sampler.enter(trial)

    def ahead(self, lanes: int, most: int, beside: Trial | None = None) -> Sequence[Place]:
        """The places of the next batch, at most so many.

        Args:
            lanes: that are free, of the worker that they are for.
            most: at the end of the sweep, how many trials it has yet.
            beside: only if some of them will (as a rule) have this trial's shape; else none.
        """
        if beside is None:
            return self._blocks.ahead(lanes)[:most]
        places = self._blocks.ahead(lanes, beside.block)[:most]
        same = self._openers[beside.block].shape == beside.shape and any(place.block == beside.block for place in places)
        return places if same else ()

    def most(self, trial: Trial) -> int:
        """How many trials the block of this one may have."""
        return self._blocks.most(trial.block)

    def draw(self, place: Place) -> Trial:
        """The trial of the next place.

        Raises:
            InputError: ``forbid`` leaves nothing to try.
            Unmeasured: a range test is wanted first.
        """
        resolved = self._resolve(place)
        trial = Trial(
            number=place.number,
            seed=self._seed(place),
            values=resolved.values,
            config=tree_of(resolved.config),
            shape=resolved.shape,
            block=place.block,
            sibling=place.sibling,
        )
        self.enter(trial)
        return trial

    def _seed(self, place: Place) -> int:
        return seed(self._space.base.search.seed, "training", place.number)

    def _resolve(self, place: Place) -> Resolved:
        if place.number == 0:
            return self._default(place)  # the winner is then never worse than the default config
        duplicate: Resolved | None = None
        for attempt, fixed in self._attempts(place):
            try:
                resolved = self._sampler.propose(place, attempt, fixed, seed=self._seed(place))
            except Forbidden:
                continue
            if _key(resolved.values) not in self._seen or self._exhausted():
                return resolved
            duplicate = duplicate or resolved
        if duplicate is None:
            raise InputError.of(
                self._space.source,
                "forbid",
                f"no allowed config in {ATTEMPTS} draws",
                hint="forbid rules out (nearly) everything; remove some of it",
            )
        return duplicate

    def _default(self, place: Place) -> Resolved:
        """The default config, whose learning rate, where it is ``auto`` without a default of its own, is the suggestion of its test."""

        def suggested(leaf: Leaf, bracket: Bracket) -> Scalar:
            usual = self._space.usual(leaf)
            return bracket.suggestion if usual is None else usual

        return self._space.resolve(self._brackets.guided(lambda leaf, _: self._space.usual(leaf), suggested), seed=self._seed(place))

    def _exhausted(self) -> bool:
        """Whether the space has no config that was not drawn yet."""
        return len(self._seen) == self._combinations

    @cached_property
    def _combinations(self) -> int | None:
        """Counting takes a while, so it waits for the first duplicate."""
        return self._space.combinations()

    def _attempts(self, place: Place) -> Iterator[tuple[int, Mapping[str, Scalar]]]:
        fixed: Mapping[str, Scalar] = {}
        if place.sibling > 0 and self._structural:
            fixed = self._openers[place.block].structure
            for attempt in range(ATTEMPTS):
                yield attempt, fixed
        for attempt in range(ATTEMPTS):
            yield attempt, {}


def _key(values: Mapping[str, Scalar]) -> str:
    return json.dumps(values, sort_keys=True)
