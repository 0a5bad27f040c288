"""Which changes of training rows suit which data."""

from __future__ import annotations

import pytest

from sweeper.config.rows import SUITS, kind_of, misfits
from sweeper.config.schema import Augment

TABLE, SERIES, IMAGES, TEXT = (10,), (24, 3), (1, 8, 8), (16,)


def test_every_change_suits_something() -> None:
    """The table names each key of the section once."""
    assert list(SUITS) == list(Augment.model_fields)
    assert all(SUITS.values())


@pytest.mark.parametrize(
    ("shape", "tokens", "kind"), [(TABLE, 0, "table"), (SERIES, 0, "series"), (IMAGES, 0, "images"), (TEXT, 50, "text")]
)
def test_the_shape_of_a_row_says_what_it_is(shape: tuple[int, ...], tokens: int, kind: str) -> None:
    """One axis is a table or text, two a series, three an image; each takes exactly the changes that suit it."""
    assert kind_of(shape, tokens) == kind
    for name, kinds in SUITS.items():
        augment = Augment.model_validate({name: 1 if name == "crop" else 0.1})
        assert [problem.path for problem in misfits(augment, shape, tokens)] == ([] if kind in kinds else [f"augment.{name}"])


def test_a_misfit_is_told_in_one_sentence() -> None:
    """A flip on a table: the key, what stands there, what suits, and how to mend it."""
    (problem,) = misfits(Augment(flip=0.5), TABLE)
    assert str(problem) == (
        "config  augment.flip  flip 0.5 is for images, and these rows are a table's of shape [10]"
        "  allowed: for table: mixup, noise  write flip: 0, or delete it"
    )


def test_a_crop_beyond_the_image_is_refused() -> None:
    """With more padding than pixels, parts without any of the image would be cut out."""
    assert not list(misfits(Augment(crop=8), IMAGES))
    (problem,) = misfits(Augment(crop=9), IMAGES)
    assert "an image is 8 x 8" in problem.found


def test_nothing_switched_on_suits_everything() -> None:
    """The section's defaults are off."""
    assert not any(list(misfits(Augment(), shape)) for shape in (TABLE, SERIES, IMAGES))
