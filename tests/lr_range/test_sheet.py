"""Range tests side by side."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from sweeper.lr_range import sheet
from tests.lr_range.invented import result


def test_a_row_per_optimizer() -> None:
    """Two optimizers with three settings each are two rows of three panels; five optimizers are a grid of four columns."""
    found = result("valley")
    six = [replace(found, optimizer=name, settings={"batch_size": size}) for name in ("adamw", "sgd") for size in (16, 32, 64)]
    five = [replace(found, optimizer=name) for name in ("adamw", "adam", "sgd", "lion", "muon")]
    assert sheet.grid(six) == (2, 3)
    assert sheet.grid(five) == (2, 4)
    assert sheet.grid(six[:3]) == (1, 3)


@pytest.mark.parametrize("number", [1, 5])
def test_the_picture_and_the_page_say_not_to_compare_rates(number: int) -> None:
    """Whatever the number of panels, there is an image and a page with a title over each panel and the caption."""
    found = [replace(result(kind), settings={"batch_size": size}) for size, kind in enumerate(["valley", "noise", "nothing"] * 2, 1)][
        :number
    ]
    image, text = sheet.png(found), sheet.html(found)
    assert image.startswith(b"\x89PNG")
    assert struct.unpack(">II", image[16:24]) >= (1280, 500)
    assert "compare the losses, not the rates" in text
    assert "adamw, batch_size 1: train with " in text
