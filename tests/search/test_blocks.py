"""Which trial belongs to which shape."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sweeper.search.blocks import Blocks, FixedBlocks, Place, blocks_of
from sweeper.search.study import Study
from sweeper.trial import Trial
from tests.search.simulate import MLP, space

ONLY_STRUCTURE = "name: a\nmodel: {width: {choice: [32, 64]}, depth: {int: [1, 4]}}\n"
MLP_AUTO = "name: a\nmodel: {width: {choice: [32, 64]}, depth: {int: [1, 4]}}\noptimizer: {name: adamw, lr: auto}\n"
ONLY_SCALARS = "name: a\noptimizer: {name: adamw, lr: {log: [1e-4, 1e-2]}}\n"


def enter(blocks: Blocks, places: list[Place]) -> list[Place]:
    """Number trials for these places."""
    for place in places:
        blocks.enter(Trial(place.number, 0, {}, {}, "", place.block, place.sibling))
    return places


def fixed(text: str, shapes: object) -> Blocks:
    """The order of random search."""
    return blocks_of(space(text, sampler="random", shapes=shapes))


@pytest.mark.parametrize(
    ("text", "shapes", "number", "place"),
    [
        (MLP, "auto", 5, Place(5, 2, 1)),
        (MLP, "auto", 15, Place(15, 7, 1)),
        (MLP, "auto", 16, Place(16, 8, 0)),
        (MLP, "auto", 99, Place(99, 18, 3)),
        (MLP, 5, 19, Place(19, 4, 3)),
        (MLP, "trials", 19, Place(19, 19, 0)),
        (ONLY_STRUCTURE, "auto", 19, Place(19, 19, 0)),
        (ONLY_SCALARS, "trials", 19, Place(19, 0, 19)),
    ],
)
def test_fixed_places(text: str, shapes: object, number: int, place: Place) -> None:
    """In random search a trial's block and sibling follow from its number alone, whoever asks, and a block's first trial comes first."""
    numbered = []
    blocks = fixed(text, shapes)
    while len(numbered) <= number:
        numbered += enter(blocks, list(blocks.ahead(1 + len(numbered) % 3)))
    assert numbered[number] == place
    seen: dict[int, int] = {}
    for one in numbered:
        assert one.sibling == seen.get(one.block, 0)
        seen[one.block] = one.sibling + 1


@pytest.mark.parametrize(
    ("text", "shapes", "number", "lanes", "batch"),
    [
        (MLP, "auto", 0, 8, 2),
        (MLP, "auto", 16, 4, 8),
        (MLP, "auto", 19, 8, 5),
        (MLP, 5, 19, 3, 15),
        (MLP, "trials", 19, 8, 1),
        (ONLY_SCALARS, "auto", 19, 3, 3),
    ],
)
def test_fixed_batches(text: str, shapes: object, number: int, lanes: int, batch: int) -> None:
    """A batch fills the lanes with one shape where the order of shapes allows it, and holds no more than that takes."""
    blocks = fixed(text, shapes)
    assert isinstance(blocks, FixedBlocks)
    enter(blocks, [blocks.place(one) for one in range(number)])
    assert len(blocks.ahead(lanes)) == batch


def test_a_block_grows_as_its_worker_asks() -> None:
    """Two trials of a new shape, eight of the best one again, as lanes fall free, also when others open blocks in between."""
    blocks = blocks_of(space())
    for block in range(8):
        assert enter(blocks, list(blocks.ahead(1))) == [Place(2 * block, block, 0)]
        assert enter(blocks, list(blocks.ahead(7, block))) == [Place(2 * block + 1, block, 1)]
        assert blocks.ahead(1, block) == []
    assert enter(blocks, list(blocks.ahead(1))) == [Place(16, 8, 0, again=True)]
    assert enter(blocks, list(blocks.ahead(1))) == [Place(17, 9, 0)]
    grown = [*enter(blocks, list(blocks.ahead(3, 8))), *enter(blocks, list(blocks.ahead(9, 8)))]
    assert grown == [Place(17 + sibling, 8, sibling, again=True) for sibling in range(1, 8)]
    assert blocks.ahead(1, 8) == []


def test_models_that_are_trained_alone_have_shapes_of_their_own() -> None:
    """Where nobody asks for siblings every trial opens a block, and only every fifth is for the best shape."""
    blocks = blocks_of(space())
    places = [place for _ in range(40) for place in enter(blocks, list(blocks.ahead(1)))]
    assert [place.block for place in places] == [place.number for place in places]
    again = [place.block for place in places if place.again]
    assert again[0] == 8
    assert {later - earlier for earlier, later in pairwise(again)} == {5}


def test_shapes_that_cost_a_range_test_are_shared_by_two() -> None:
    """However few lanes there are: with ``lr: auto``."""
    blocks = blocks_of(space(MLP_AUTO))
    places = [place for _ in range(8) for place in enter(blocks, list(blocks.ahead(1)))]
    assert [(place.block, place.sibling) for place in places] == [(block, sibling) for block in range(8) for sibling in range(2)]


@pytest.mark.parametrize(
    ("text", "sampler", "shapes", "most"),
    [
        (MLP, "tpe", "auto", [2, 2, 8, 2]),
        (MLP, "random", "auto", [2, 2, 8, 8]),
        (MLP, "tpe", "trials", [1, 1, 1, 1]),
        (ONLY_STRUCTURE, "tpe", "auto", [1, 1, 1, 1]),
        (MLP, "tpe", 3, [20, 20, 20, 20]),
        (ONLY_SCALARS, "tpe", "auto", [20]),
    ],
)
def test_how_many_trials_may_share_a_shape(text: str, sampler: str, shapes: object, most: list[int]) -> None:
    """Of the first block, the last early one, and those after it; never more than the sweep has."""
    study = Study(space(text, sampler=sampler, shapes=shapes), 20)
    trials = [Trial(0, 0, {}, {}, "", block) for block in (0, 7, 8, 9)]
    assert [study.most(trial) for trial in trials[: len(most)]] == most


@pytest.mark.parametrize("shapes", ["trials", 20])
def test_different_shapes_are_never_the_best_one_again(shapes: object) -> None:
    """A number of shapes is that of different ones, for a sampler that learns, too."""
    blocks = blocks_of(space(shapes=shapes))
    places = [place for _ in range(20) for place in enter(blocks, list(blocks.ahead(2)))]
    assert not any(place.again for place in places)
