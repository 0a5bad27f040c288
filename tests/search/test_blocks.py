"""Which trial belongs to which shape."""

from __future__ import annotations

import pytest

from sweeper.search.blocks import Blocks, Place
from tests.search.simulate import space

ONLY_STRUCTURE = "name: a\nmodel: {width: {choice: [32, 64]}, depth: {int: [1, 4]}}\n"
ONLY_SCALARS = "name: a\noptimizer: {name: adamw, lr: {log: [1e-4, 1e-2]}}\n"


@pytest.mark.parametrize(
    ("text", "shapes", "number", "place"),
    [
        (None, "auto", 5, Place(5, 2, 1)),
        (None, "auto", 15, Place(15, 7, 1)),
        (None, "auto", 16, Place(16, 8, 0)),
        (None, "auto", 99, Place(99, 18, 3)),
        (None, 5, 19, Place(19, 4, 3)),
        (None, "trials", 19, Place(19, 19, 0)),
        (ONLY_STRUCTURE, "auto", 19, Place(19, 19, 0)),
        (ONLY_SCALARS, "trials", 19, Place(19, 0, 19)),
    ],
)
def test_places(text: str | None, shapes: object, number: int, place: Place) -> None:
    """A trial's block and sibling follow from its number alone."""
    blocks = Blocks(space(text, shapes=shapes) if text else space(shapes=shapes))
    assert blocks.place(number) == place


@pytest.mark.parametrize("shapes", ["auto", "trials", 5])
def test_the_opener_is_the_first_of_its_block(shapes: object) -> None:
    """The trial that draws a block's shape is sibling 0 of it and comes before all others."""
    blocks = Blocks(space(shapes=shapes))
    for number in range(200):
        place = blocks.place(number)
        opener = blocks.place(blocks.opener(place.block))
        assert (opener.block, opener.sibling) == (place.block, 0)
        assert opener.number <= number


@pytest.mark.parametrize(
    ("text", "shapes", "number", "lanes", "batch"),
    [
        (None, "auto", 0, 8, 2),
        (None, "auto", 16, 4, 8),
        (None, "auto", 19, 8, 5),
        (None, 5, 19, 3, 15),
        (None, "trials", 19, 8, 1),
        (ONLY_SCALARS, "auto", 19, 3, 3),
    ],
)
def test_batches(text: str | None, shapes: object, number: int, lanes: int, batch: int) -> None:
    """A batch fills the lanes with one shape where the order of shapes allows it, and holds no more than that takes."""
    assert Blocks(space(text, shapes=shapes) if text else space(shapes=shapes)).batch(number, lanes) == batch


@pytest.mark.parametrize(("shapes", "again"), [("auto", [8, 10, 12]), ("trials", []), (20, [])])
def test_blocks_for_the_best_shape(shapes: object, again: list[int]) -> None:
    """Every other block after the first eight is for the best shape so far, but only where blocks may repeat one."""
    blocks = Blocks(space(shapes=shapes))
    assert [block for block in range(14) if blocks.again(block)] == again
