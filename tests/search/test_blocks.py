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
        (None, "auto", 19, Place(19, 2, 3)),
        (None, "auto", 63, Place(63, 7, 7)),
        (None, "auto", 64, Place(64, 8, 0)),
        (None, "auto", 99, Place(99, 10, 3)),
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
        (None, "auto", 0, 1, 8),
        (None, "auto", 19, 8, 5),
        (None, "auto", 64, 4, 16),
        (None, 5, 19, 3, 15),
        (None, "trials", 19, 8, 1),
        (ONLY_SCALARS, "auto", 19, 3, 3),
    ],
)
def test_batches(text: str | None, shapes: object, number: int, lanes: int, batch: int) -> None:
    """A batch fills the lanes with one shape where the order of shapes allows it, and holds no more than that takes."""
    assert Blocks(space(text, shapes=shapes) if text else space(shapes=shapes)).batch(number, lanes) == batch
